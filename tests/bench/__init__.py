"""`make bench`: how fast and how dear the function is, beside a bare one (the floor) and a plain bot (what most write).

All three run on the same machine in the same run, by turns, so that a figure is also a ratio: a ratio holds on another
machine, and on this one tomorrow. `__main__` says how to start it, `figures` what is measured and is to be reached.
"""
