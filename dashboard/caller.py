"""Who looks at the page, and what they may do."""

from dataclasses import dataclass

from operations.actor import ROLES, Actor, Role

__all__ = ["Caller"]


@dataclass(frozen=True, slots=True)
class Caller:
    """Somebody who was let in.

    Attributes:
        actor: As it stands in the log.
        secret: The token they logged in with; "": none, the local user or somebody known by single sign-on.
        greeting: Why they are who they are, in words: "no token exists, so this machine's user is operator".
    """

    actor: Actor
    secret: str = ""
    greeting: str = ""

    def may(self, role: Role) -> bool:
        """Whether their role reaches: buttons of those who may not are not drawn."""
        return ROLES.index(self.actor.role) >= ROLES.index(role)
