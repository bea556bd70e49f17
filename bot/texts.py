"""Every sentence that a user can read, in Japanese and English."""

from typing import Literal

from bot.conversation import Language

Phrase = Literal[
    "help",
    "greeting",
    "group_greeting",
    "unsupported",
    "refused",
    "busy",
    "cannot_answer",
    "too_long",
    "trouble",
    "given_up",
    "cut",
    "reset",
    "erased",
    "nothing_more",
    "no_history",
    "no_match",
    "you",
    "bot",
    "unanswered",
    "dropped",
    "nothing_to_retry",
    "more_label",
    "retry_label",
    "earlier_label",
]

_PHRASES: dict[Phrase, tuple[str, str]] = {
    "help": (
        "メッセージを送ると、これまでの会話をふまえて答えます。グループでは、メンションするか私の発言を引用してください。\n\n"
        "/リセット 新しい会話を始める(これまでの会話はあとで読めます)\n"
        "/履歴 これまでの会話を読む\n"
        "/履歴 言葉 その言葉が出てくる会話を探す\n"
        "/消去 このトークについて保存したものをすべて、すぐに消す\n"
        "/ヘルプ この説明",
        "Write to me and I answer, with what we said before in mind. In a group, mention me or quote what I said.\n\n"
        "/reset start a fresh conversation (the old one can still be read)\n"
        "/history read past conversations\n"
        "/history words find past conversations with these words\n"
        "/forget erase everything stored about this chat, at once\n"
        "/help this text",
    ),
    "greeting": (
        "はじめまして。何でも話しかけてください。会話の続きがわかるように、やりとりを保存します。"
        "/消去 でいつでもすべて消せます。使い方は /ヘルプ で見られます。",
        "Hello! Write to me about anything. I keep our conversation so that I can follow it; "
        "/forget erases all of it at any time, /help shows what I can do.",
    ),
    "group_greeting": (
        "よろしくお願いします。私へのメンション、私の発言の引用、コマンド(/ヘルプ など)にだけお答えし、"
        "それだけを保存します。",
        "Hello everyone! I answer when you mention me, quote me or type a command such as /help, "
        "and I store nothing else.",
    ),
    "unsupported": (
        "すみません、今は文字のメッセージだけ読めます。内容を文字で送ってください。",
        "Sorry, I can only read text for now. Please tell me in words.",
    ),
    "refused": (
        "メッセージが多すぎて、一部を受け取れませんでした。少し待ってから、もう一度送ってください。",
        "Too many messages: some of them were not taken in. Please wait a little and send them again.",
    ),
    "busy": (
        "すみません、今は答えられませんでした。少し待ってから、もう一度お試しください。",
        "Sorry, I could not answer just now. Please try again in a little while.",
    ),
    "cannot_answer": (
        "すみません、この内容にはお答えできません。",
        "Sorry, I cannot answer this.",
    ),
    "too_long": (
        "すみません、長すぎて読みきれませんでした。短くして送るか、/リセット で新しい会話を始めてください。",
        "Sorry, this is too long for me. Please send something shorter, or start afresh with /reset.",
    ),
    "trouble": (
        "すみません、今は設定の問題でお答えできません。管理者にお知らせください。",
        "Sorry, I cannot answer because of a problem in my set-up. Please tell whoever runs this account.",
    ),
    "given_up": (
        "すみません、何度か試しましたが、このメッセージには答えられませんでした。",
        "Sorry, I tried several times but could not answer this message.",
    ),
    "cut": ("(長くなったので、ここで区切りました)", "(I stopped here because it was getting long.)"),
    "reset": (
        "新しい会話を始めます。これまでの会話は /履歴 で読めます。",
        "A fresh conversation starts here. /history still shows the old one.",
    ),
    "erased": (
        "このトークについて保存していたものを、すべて消しました。",
        "Everything that was stored about this chat is erased.",
    ),
    "nothing_more": ("続きはありません。", "There is nothing more."),
    "nothing_to_retry": (
        "このメッセージにはもうお答えしたか、もう残っていません。",
        "That message is answered already, or no longer kept.",
    ),
    "no_history": ("まだ会話はありません。", "There is no conversation yet."),
    "no_match": ("見つかりませんでした。", "Nothing was found."),
    "you": ("あなた", "You"),
    "bot": ("Kaiwa", "Kaiwa"),
    "unanswered": ("(答えられませんでした)", "(not answered)"),
    "dropped": (
        "(お届けできなかった古い答えが一つあります。/履歴 で読めます)",
        "(One earlier answer could not be delivered; /history shows it.)",
    ),
    "retry_label": ("もう一度", "Try again"),
    "more_label": ("続き", "More"),
    "earlier_label": ("もっと前", "Earlier"),
}


def phrase(name: Phrase, language: Language) -> str:
    return _PHRASES[name][0 if language == "ja" else 1]


def phrases(name: Phrase) -> tuple[str, str]:
    """Both languages, to recognise a sentence again."""
    return _PHRASES[name]


def language_of(text: str) -> Language | None:
    """Japanese when it has kana or kanji, English when it has Latin letters, None when it tells nothing."""
    if any("\u3040" <= character <= "\u30ff" or "\u4e00" <= character <= "\u9fff" for character in text):
        return "ja"
    return "en" if any("a" <= character <= "z" for character in text.casefold()) else None
