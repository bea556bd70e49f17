"""The fault matrix: what goes wrong between LINE, Firestore, Secret Manager, Cloud Tasks, OpenAI and the process.

How to write a row:
1. Its id stands in `rows.py`; the test carries it, in its marker and first in its name:
   `@pytest.mark.row("A1", injected="killed at {point}")` above `async def test_a1_…(kaiwa: World, seen: Seen)`;
   parameters are filled in. Many rows in one test: `pytest.param(…, id="D1-once", marks=pytest.mark.row("D1", …))`.
2. `kaiwa` (conftest.py) is the running function in both ways of working, healed and alive; `@pytest.mark.mode("queue")`
   keeps one of them. `kaiwa.restart(NAME="value")` starts it anew with another environment, for this test only.
3. Inject with `fail_next` of `kaiwa.line`, `.firestore`, `.tasks`, `.secrets`, with `kaiwa.model.script`, or with taps
   at a boundary (`kaiwa.firestore.taps`, `.model_taps`, `.line_taps`); `kaiwa.kill_at("P3", kaiwa.start)` kills there.
4. Call `seen("one reply, 1 model call")` with what was observed, before the asserts; the table at the end prints it.
5. Cases whose fault meets one person alone (`about=`, `chat_id=`) are played side by side: give the module `PLAYS`, by
   way of working and name, and look at `outcome(tried, name)` (tried.py).
6. What cannot be tested yet is said in `seen`, and in the test's docstring.
"""
