"""Every sentence that a user can read, in Japanese and English."""

from typing import Literal

from bot.conversation import Language

Phrase = Literal[
    "help",
    "greeting",
    "group_greeting",
    "listening",
    "not_listening",
    "listening_ended",
    "listen_in_groups",
    "listen_on_label",
    "listen_off_label",
    "help_label",
    "status_label",
    "language_label",
    "somebody",
    "unsupported",
    "video",
    "media_gone",
    "media_too_large",
    "media_not_ready",
    "media_wrong_type",
    "not_heard",
    "refused",
    "busy",
    "cannot_answer",
    "withheld",
    "too_long",
    "trouble",
    "given_up",
    "day_used",
    "month_used",
    "usage_today",
    "usage_left",
    "usage_total",
    "usage_anew",
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
    "help_model",
    "help_draw",
    "draw_how",
    "drawn",
    "persona_now",
    "persona_set",
    "persona_reset",
    "persona_too_long",
    "persona_friendly",
    "persona_polite",
    "persona_teacher",
    "persona_concise",
    "persona_kansai",
    "usual",
    "automatic",
    "on",
    "off",
    "model_only",
    "model_now",
    "model_set",
    "model_unknown",
    "language_now",
    "language_set",
    "language_unknown",
    "status",
    "status_group",
    "export",
    "export_impossible",
    "export_cut",
    "export_title",
    "link_gone",
    "more_label",
    "retry_label",
    "earlier_label",
    "nothing_to_redo",
    "again_label",
    "shorter_label",
    "sources",
]

_PHRASES: dict[Phrase, tuple[str, str]] = {
    "help": (
        "メッセージを送ると、これまでの会話をふまえて答えます。グループでは、メンションするか私の発言を引用してください。\n\n"
        "/リセット 新しい会話を始める(これまでの会話はあとで読めます)\n"
        "/履歴 これまでの会話を読む\n"
        "/履歴 言葉 その言葉が出てくる会話を探す\n"
        "/書き出し 会話のすべてをファイルで受け取る\n"
        "/性格 話し方を選ぶ、または自分で書く\n"
        "/言語 日本語か英語かを選ぶ\n"
        "/状態 いまの設定と使った量\n"
        "/使用量 今日使った量と、これまでの合計\n"
        "/聞く オン グループで、私あてでない会話も参考にする\n"
        "/消去 このトークについて保存したものをすべて、すぐに消す\n"
        "/ヘルプ この説明",
        "Write to me and I answer, with what we said before in mind. In a group, mention me or quote what I said.\n\n"
        "/reset start a fresh conversation (the old one can still be read)\n"
        "/history read past conversations\n"
        "/history words find past conversations with these words\n"
        "/export get the whole conversation as a file\n"
        "/persona choose how I speak, or describe it yourself\n"
        "/language choose Japanese or English\n"
        "/status what is set and what was used\n"
        "/usage what was used today, and in all\n"
        "/listen on in a group, follow what is not said to me too\n"
        "/forget erase everything stored about this chat, at once\n"
        "/help this text",
    ),
    "help_model": ("/モデル 答えるモデルを選ぶ", "/model choose the model that answers"),
    "help_draw": ("/描いて 言葉 その言葉の絵を描く", "/draw words draw a picture of them"),
    "greeting": (
        "はじめまして。質問、相談、文章の下書き、何でも話しかけてください。\n\n"
        "会話の続きがわかるように、やりとりと、LINEでの表示名と言語を保存します。"
        "最後のやりとりから一定の期間がたつと消え、/消去 でいつでもすべて消せます。ブロックしたときも消えます。\n\n"
        "できることは /ヘルプ で見られます。",
        "Hello! Ask me, think aloud with me, have me draft a text: write to me about anything.\n\n"
        "So that I can follow our conversation I keep it, with the name and language that LINE shows of you. "
        "It is deleted some time after the last message, at any moment by /forget, and when you block me.\n\n"
        "/help shows what I can do.",
    ),
    "group_greeting": (
        "よろしくお願いします。私へのメンション、私の発言の引用、コマンド(/ヘルプ など)にだけお答えし、"
        "それと、話した方の表示名だけを保存します。ほかの会話は保存しません(/聞く オン で変えられます)。"
        "/消去 か、私の退会で、すべて消えます。",
        "Hello everyone! I answer when you mention me, quote me or type a command such as /help. I keep that, "
        "with the names of those who spoke to me, and nothing else that is said here (/listen on changes that). "
        "/forget, or taking me out of the group, erases everything.",
    ),
    "listening": (
        "みなさんへ: これから、私あてでない会話も聞いて、答えの参考にします。"
        "保存するのは、直近の30件までの発言と、話した方の表示名だけです。古いものから消え、/履歴 には出ません。"
        "やめるには /聞く オフ。そのとき、聞いたものはすべて消します。",
        "To everyone here: from now on I also follow what is not said to me, so that my answers fit. "
        "I keep no more than the latest 30 messages and their writers' names; the oldest leave first, and /history "
        "does not show them. /listen off ends it and erases what I have heard.",
    ),
    "not_listening": (
        "いまは、私あての発言だけを保存しています。/聞く オン にすると、ほかの会話も"
        "(直近の30件まで)聞いて、答えの参考にします。/聞く オフ でやめ、聞いたものを消します。",
        "I keep only what is said to me. With /listen on I also follow what else is said here "
        "(the latest 30 messages), so that my answers fit. /listen off ends that and erases what I have heard.",
    ),
    "listening_ended": (
        "私あてでない会話を聞くのをやめ、聞いたものをすべて消しました。",
        "I no longer follow what is not said to me, and have erased what I had heard.",
    ),
    "listen_in_groups": (
        "/聞く は、グループで使うコマンドです。ここでは、すべての発言が私あてです。",
        "/listen is for groups. Here everything you write is to me anyway.",
    ),
    "listen_on_label": ("聞いてもらう", "Listen"),
    "listen_off_label": ("聞くのをやめる", "Stop listening"),
    "help_label": ("使い方", "Help"),
    "status_label": ("いまの設定", "Settings"),
    "language_label": ("English", "日本語"),
    "somebody": ("だれか", "Somebody"),
    "unsupported": (
        "すみません、この種類のメッセージは読めません。文字、画像、音声、ファイル、位置情報、スタンプなら読めます。",
        "Sorry, I cannot read this kind of message. I can read text, images, voice messages, files, places and "
        "stickers.",
    ),
    "video": (
        "すみません、動画は見られません。画像か文字で送ってください。",
        "Sorry, I cannot watch videos. Please send images, or tell me in words.",
    ),
    "media_gone": (
        "すみません、送ってくださったものは、もう残っていなくて開けませんでした。もう一度送ってください。",
        "Sorry, what you sent is no longer there for me to open. Please send it again.",
    ),
    "media_too_large": (
        "すみません、大きすぎて開けませんでした。画像は10MB、音声は25MB、ファイルは20MBまで、"
        "一度に合わせて25MBまで読めます。",
        "Sorry, this is too large for me. I can open images of up to 10 MB, voice messages of up to 25 MB and files of "
        "up to 20 MB, 25 MB at a time in all.",
    ),
    "media_not_ready": (
        "すみません、送ってくださったものを今は開けませんでした。少し待ってから、もう一度お試しください。",
        "Sorry, I could not open what you sent just now. Please try again in a little while.",
    ),
    "media_wrong_type": (
        "すみません、この形式は読めません。ファイルは PDF とテキスト、画像は JPEG、PNG、GIF、WebP を読めます。",
        "Sorry, I cannot read this format. I can read PDF and text files, and JPEG, PNG, GIF and WebP images.",
    ),
    "not_heard": (
        "すみません、音声を聞き取れませんでした。もう一度録音するか、文字で送ってください。",
        "Sorry, I could not make out any words. Please record it again, or write to me.",
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
    "withheld": (
        "すみません、この内容は受け付けられません。別の言い方か、別の話題でお願いします。",
        "Sorry, I cannot take this message. Please put it differently, or let us talk about something else.",
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
    "day_used": (
        "今日使える分を使い切りました。日本時間の0時を過ぎると、また答えられます。"
        "そのあとに「もう一度」を押すと、このメッセージにお答えします。",
        "What I may use for this chat today is used up. After midnight, Japanese time, I can answer again; "
        "“Try again” will then answer this message.",
    ),
    "month_used": (
        "すみません、今月の予算を使い切りました。来月1日の0時(日本時間)から、また答えられます。",
        "Sorry, this month's budget is used up. I can answer again from the first of next month, Japanese time.",
    ),
    "usage_today": (
        "今日: 答え {turns} 回、{tokens} トークン、約 {yen} 円",
        "Today: {turns} answers, {tokens} tokens, about {yen} yen",
    ),
    "usage_left": ("今日の残り: {left}%", "Left for today: {left}%"),
    "usage_total": (
        "これまで: 答え {turns} 回、{tokens} トークン、約 {yen} 円",
        "In all: {turns} answers, {tokens} tokens, about {yen} yen",
    ),
    "usage_anew": (
        "「今日」は、日本時間の0時に新しくなります。",
        "Today begins anew at midnight, Japanese time.",
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
    "draw_how": (
        "描いてほしいものを続けて書いてください。例: /描いて 月を見上げる猫",
        "Tell me what to draw, for example: /draw a cat that looks at the moon",
    ),
    "drawn": ("(絵を描きました: {words})", "(A picture was drawn: {words})"),
    "persona_now": (
        "いまの性格: {persona}\n"
        "下から選ぶか、「/性格 」に続けて好きな話し方を書いてください(500文字まで)。/性格 リセット で元に戻ります。",
        "How I speak now: {persona}\n"
        "Choose below, or describe it after /persona (500 characters at most). /persona reset brings back the usual.",
    ),
    "persona_set": ("これからはこの性格で話します: {persona}", "From now on I speak like this: {persona}"),
    "persona_reset": ("性格を元に戻しました。", "I speak as usual again."),
    "persona_too_long": (
        "長すぎます。性格は{most}文字までで書いてください。",
        "That is too long. Please describe it in {most} characters at most.",
    ),
    "persona_friendly": ("親しみやすい", "Friendly"),
    "persona_polite": ("ていねい", "Polite"),
    "persona_teacher": ("先生", "Teacher"),
    "persona_concise": ("簡潔", "Concise"),
    "persona_kansai": ("関西弁", "Osaka dialect"),
    "usual": ("いつもの", "The usual"),
    "automatic": ("自動", "Automatic"),
    "on": ("オン", "on"),
    "off": ("オフ", "off"),
    "model_only": ("いまのモデル: {model}", "The model that answers: {model}"),
    "model_now": (
        "いまのモデル: {model}\n選べるモデル: {models}",
        "The model that answers: {model}\nYou can choose: {models}",
    ),
    "model_set": ("これからは {model} が答えます。", "From now on {model} answers."),
    "model_unknown": (
        "そのモデルは選べません。選べるモデル: {models}",
        "That model is not on offer. You can choose: {models}",
    ),
    "language_now": (
        "いまの言葉: {language}\n/言語 ja(日本語)、/言語 en(英語)、/言語 auto(自動)で選べます。",
        "The language now: {language}\nChoose with /language ja (Japanese), /language en (English) or /language auto.",
    ),
    "language_set": (
        "言葉を「{language}」にしました。",
        "The language is set: {language}.",
    ),
    "language_unknown": (
        "その言葉は選べません。ja(日本語)、en(英語)、auto(自動)から選んでください。",
        "I cannot take that. Please choose ja (Japanese), en (English) or auto.",
    ),
    "status": (
        "性格: {persona}\nモデル: {model}\n言葉: {language}\n"
        "使った量: 答え {turns} 回、{tokens} トークン\n"
        "この会話: {since} から。最近の {kept} 往復をそのまま覚えています\n"
        "保存: 最後のやりとりから {days} 日",
        "Manner: {persona}\nModel: {model}\nLanguage: {language}\n"
        "Used: {turns} answers, {tokens} tokens\n"
        "This conversation: since {since}; I have its last {kept} exchanges in mind word for word\n"
        "Kept: {days} days after the last message",
    ),
    "status_group": (
        "性格: {persona}\nモデル: {model}\n言葉: {language}\n会話を聞く: {listening}\n"
        "使った量: 答え {turns} 回、{tokens} トークン\n"
        "この会話: {since} から。最近の {kept} 往復をそのまま覚えています\n"
        "保存: 最後のやりとりから {days} 日",
        "Manner: {persona}\nModel: {model}\nLanguage: {language}\nListening: {listening}\n"
        "Used: {turns} answers, {tokens} tokens\n"
        "This conversation: since {since}; I have its last {kept} exchanges in mind word for word\n"
        "Kept: {days} days after the last message",
    ),
    "export": (
        "この会話のすべてを書き出しました。リンクは1時間で使えなくなります。知らない人に渡さないでください。\n{link}",
        "Here is the whole conversation. The link works for one hour; whoever has it can read everything.\n{link}",
    ),
    "export_impossible": (
        "書き出しは、まだ使えません。管理者がこのアカウントの SERVICE_URL を設定する必要があります。",
        "Exporting does not work yet: whoever runs this account has to set SERVICE_URL.",
    ),
    "export_cut": (
        "(長いので、これより古い部分は入っていません)",
        "(It is long: what is older than this is left out.)",
    ),
    "export_title": ("会話の記録 {date} (日本時間)", "Conversation, written out {date} (Japanese time)"),
    "link_gone": (
        "このリンクは使えません。期限が切れたか、会話が消されました。LINEで /書き出し と送ると新しく届きます。",
        "This link does not work: it has expired, or the conversation was erased. Send /export in LINE for a new one.",
    ),
    "retry_label": ("もう一度", "Try again"),
    "more_label": ("続き", "More"),
    "earlier_label": ("もっと前", "Earlier"),
    "nothing_to_redo": (
        "その答えは、もう残っていません。",
        "That answer is no longer kept.",
    ),
    "again_label": ("もう一度", "Once more"),
    "shorter_label": ("短く", "Shorter"),
    "sources": ("出典:", "Sources:"),
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
