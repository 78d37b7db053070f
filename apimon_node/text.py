"""Untrusted text, made fit to be shown. Pure."""


def one_line(text: str) -> str:
    """Sanitise untrusted text: return one line, blanks folded, without control and format characters.

    str.isprintable() leaves out what turns the direction of writing, too (category Cf of Unicode).
    """
    kept = "".join(character for character in text if character.isprintable() or character.isspace())
    return " ".join(kept.split())
