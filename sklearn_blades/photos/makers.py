"""Who made a camera: legal forms, branches and spellings fold; what says nothing is unknown."""

import re


def _words(text):
    return frozenset(text.split())


# Words of a maker's name that do not tell it from others: legal forms, kinds of business, places.
_COMMON = _words(
    """
    ab ag as asa bv co corp corporation company gmbh group holding holdings inc incorporated kg kk
    limited llc lp ltd nv oy oyj plc pte pty pvt sa sarl sas se spa srl sl the of
    camera cameras communication communications computer computers device devices digital electric
    electronic electronics global imaging industrial industries industry international mobile
    mobility optical products solutions system systems techwin technologies technology
    telecommunication telecommunications
    america asia beijing china eastman europe guangdong hangzhou hongkong japan korea shanghai
    shenzhen sz taiwan usa
    """
)
# Branches, earlier names and spellings, without the words above.
_SAME = {
    "agfa": {"agfa gevaert", "agfaphoto", "agfa photo"},
    "asus": {"asustek", "asustek asus"},
    "blackberry": {"research in motion", "rim"},
    "epson": {"seiko epson"},
    "fujifilm": {"fuji photo film", "fuji", "fuji film"},
    "hasselblad": {"victor hasselblad"},
    "hp": {"hewlett packard", "hewlettpackard"},
    "jvc": {"victor", "jvc kenwood", "jvckenwood"},
    "lg": {"lge", "lg lge"},
    "mamiya": {"mamiya op"},
    "panasonic": {"matsushita"},
    "pentax": {"asahi", "asahi pentax", "pentax ricoh"},
    "raspberrypi": {"raspberry pi"},
    "t mobile": {"tmobile"},
    "zeiss": {"carl zeiss"},
}
_MAKERS = {other: maker for maker, others in _SAME.items() for other in others}
# What stands where nobody entered a name, letters and digits only.
_PLACEHOLDERS = _words(
    """
    unknown unidentified undefined unspecified unnamed notdefined notavailable notset none null nil
    nan na tbd default reserved make maker manufacturer vendor brand model modelname camera
    cameramake cameramodel cameraname digital digitalcamera digitalstillcamera phone smartphone
    generic other
    oem test string empty xxx
    """
)


def maker(text: str) -> str:
    """A maker's short name from lower-case text, or '' where it says nothing.

    >>> [maker(text) for text in ("nikon corporation", "seiko epson corp.", "phase one a/s", "n/a")]
    ['nikon', 'epson', 'phase one', '']
    """
    if is_placeholder(text) or not any(letter.isalpha() for letter in text):
        return ""
    # Initials are one word: "b.v.", "s.p.a.", "a/s".
    words = re.findall(r"[^\W_]+", re.sub(r"\b(\w)[./](?=\w\b)", r"\1", text))
    plain = " ".join(words)
    if plain in ("t mobile", "tmobile"):
        return "t mobile"
    kept = " ".join(word for word in words if word not in _COMMON)
    return _MAKERS.get(plain) or _MAKERS.get(kept, kept)


def model(text: str) -> str:
    """A model's name from lower-case text, or '' where it says nothing.

    >>> [model(text) for text in ("iphone 5", "9700", "---", "0")]
    ['iphone 5', '9700', '', '']
    """
    return "" if is_placeholder(text) else text


def is_placeholder(text: str) -> bool:
    """Whether a text stands where a name is missing: no letters, one repeated sign, "unknown"."""
    letters = "".join(letter for letter in text.lower() if letter.isalnum())
    one_sign = len(set(letters)) < 2 and len(letters) != 1
    return one_sign or letters == "0" or letters in _PLACEHOLDERS
