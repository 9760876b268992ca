"""What a messenger writes between the messages of people: who joined, what was taken back, pictures left out."""

from __future__ import annotations

import re
from typing import Final

#: Marks of direction that WhatsApp writes before names and notices.
_MARKS: Final = dict.fromkeys(map(ord, "\u200e\u200f\u202a\u202b\u202c\u2066\u2067\u2068\u2069\ufeff"))
_KINDS: Final = (
    "image|photo|picture|video|audio|voice(?: message| call)?|sticker|gif|document|file|location|contact(?: card)?"
    "|media|emoji|link|red packet|transfer|mini program|music|poll|animation|video message|live location"
    "|图片|照片|图像|表情|动画表情|自定义表情|语音|语音通话|音频|视频|视频通话|文件|位置|名片|链接|红包|转账|小程序|聊天记录"
    "|合并转发|分享|音乐|贴图|贴纸|拍一拍|闪照|商品|订单|卡片|引用|动图"
)
_MEDIA: Final = re.compile(
    rf"(?:\s*(?:<(?:\?xml|msg)\b[\s\S]*|[\[【<(（](?:{_KINDS})(?:消息|message)?(?:[:：,， ]"
    r"[^\]】>)）\n]{0,80})?[\]】>)）]"
    r"|<media omitted>|<attached:[^<>\n]{1,120}>|<(?:省略多媒体文件|媒体文件已省略|已省略媒体文件|图片已省略)>"
    rf"|(?:{_KINDS}) (?:omitted|not included)|(?:{_KINDS})已?(?:省略|忽略)"
    r"|[^\n]{1,120}\.\w{2,5} \((?:file attached|附件|文件附件|已添加附件)\)))+\s*",
    re.IGNORECASE,
)
#: Said by no person, though it may stand under somebody's name.
_ROOM: Final = r"(?:the |this )?(?:group|chat|channel|server|room|conversation|meeting)"
_NOTICE: Final = re.compile(
    r"(?:this|that) message was (?:deleted|edited)\.?|you deleted this message\.?|missed (?:voice|video|group) call.*"
    r"|(?:messages and calls are|messages to this (?:chat|group) (?:and calls )?are now) .{0,20}end-to-end encrypted.*"
    r"|(?:voice|video) call, .{0,40}|waiting for this message.*|null|undefined"
    rf"|.{{0,60}}(?:joined|left|(?:has|have) (?:joined|left|been added to)) {_ROOM}(?: using .{{0,60}}link)?\.?"
    r"|.{0,60} joined using .{0,60}link\.?|.{0,60} pinned a message.{0,60}|.{0,60} created (?:this )?group .{0,60}"
    r"|.{0,60} changed (?:this|the) group.{0,3} (?:name|icon|description|settings).{0,100}"
    r"|.{0,60} (?:has )?set the channel (?:topic|purpose|description).{0,200}"
    r"|.{0,40}撤回了一条消息.{0,40}|该消息已(?:撤回|删除)|此消息已(?:被)?(?:撤回|删除)|您?已?删除(?:了|此)消息"
    r"|.{0,60}(?:加入了?|退出了?|离开了?|进入了?)(?:群聊|本群|该群|聊天室|直播间)[。.!！]?"
    r"|.{0,40}邀请.{1,60}加入了?(?:群聊|本群|该群|群)[。.!！]?|.{0,40}将.{1,60}移出了?(?:群聊|本群)[。.!！]?"
    r"|.{0,40}修改群名为.{1,60}|.{0,30}拍了拍.{1,40}|以上是打招呼的内容.{0,20}|.{0,40}现在可以开始聊天了.{0,5}"
    r"|消息和通话(?:均)?(?:进行)?端到端加密.{0,80}|对方(?:已)?(?:取消|拒绝|未接听).{0,10}|通话时长.{0,20}"
    r"|.{0,40}开启了(?:朋友|好友)验证.{0,80}|.{0,20}收到红包.{0,20}|对方已(?:接收|领取).{0,20}",
    re.IGNORECASE | re.DOTALL,
)
_WRITERS: Final = frozenset(
    (
        *("系统消息", "系统提示", "系统通知", "系统", "群通知", "群公告", "10000", "-!-", "***"),
        *("system", "systemmessage", "systemmessages", "notification", "systemnotification", "whatsapp", "telegram"),
    )
)
_EDITED: Final = re.compile(r"\s*<(?:this message was edited|此消息已编辑|已编辑)>\s*$", re.IGNORECASE)


def without_marks(text: str) -> str:
    """``text`` without the marks of direction that are not seen."""
    return text if text.isascii() else text.translate(_MARKS)


def is_notice(speaker: str, text: str) -> bool:
    """Whether the program says it and no person, or nothing is said.

    >>> is_notice("Ann", "This message was deleted"), is_notice("系统消息", "欢迎"), is_notice("Ann", "It left here.")
    (True, True, False)
    """
    bare = text.strip()
    return not bare or speaker.replace(" ", "").casefold() in _WRITERS or bool(_NOTICE.fullmatch(bare))


def is_media(text: str) -> bool:
    """Whether a message is nothing but a picture, a recording or the like, of which a mark is all there is.

    >>> is_media("[图片]"), is_media("<Media omitted>"), is_media("IMG-1.jpg (file attached)"), is_media("看图片")
    (True, True, True, False)
    """
    return bool(_MEDIA.fullmatch(text))


def without_edits(text: str) -> str:
    """A message without what says that it was written anew."""
    return _EDITED.sub("", text) if text.rstrip().endswith(">") else text
