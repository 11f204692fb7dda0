"""Which folders may be swept of old temporary files at all: an allow-list is no help when it names the whole disk."""

from pathlib import Path

__all__ = ["why_not_a_root"]

_SYSTEM = ("/bin", "/boot", "/etc", "/lib", "/lib32", "/lib64", "/proc", "/sbin", "/sys", "/usr")
_OTHERS = ("/", "/dev", "/home", "/media", "/mnt", "/opt", "/root", "/run", "/srv", "/var")
_OF_VAR = ("/var/lib", "/var/log", "/var/mail", "/var/spool", "/var/www", "/var/backups")


def why_not_a_root(path: Path) -> str:
    """Why old files below a folder are never removed, in words; "": they may be.

    >>> why_not_a_root(Path("/etc/ssl")), why_not_a_root(Path("/var/tmp"))
    ('it is part of the system', '')
    """
    if not path.is_absolute() or ".." in path.parts:
        return "it is not an absolute path"
    text = str(path)
    if any(text == one or text.startswith(one + "/") for one in _SYSTEM):
        return "it is part of the system"
    if text in {*_OTHERS, *_OF_VAR}:
        return "much more than temporary files lies in it"
    if path == Path.home():
        return "it is a home folder"
    return ""
