"""What a client is told when the API refuses, or cannot be reached."""

import httpx

__all__ = ["ApiError", "refused", "unreachable"]


class ApiError(Exception):
    """The API refused, or could not be reached.

    Attributes:
        message, hint: What was wrong, and what to do.
        status: Of HTTP; 0: nobody answered.
        error: The error's name, as the command line has it, e.g. `ConfigError`.
        transient: Whether another try makes sense; `retry_after`: in so many seconds.
        request_id: Stands in the server's log beside what happened.
    """

    def __init__(
        self,
        message: str,
        *,
        hint: str = "",
        status: int = 0,
        error: str = "",
        transient: bool = False,
        retry_after: float | None = None,
        request_id: str = "",
    ) -> None:
        super().__init__(f"{message} ({hint})" if hint else message)
        self.message, self.hint, self.status, self.error = message, hint, status, error
        self.transient, self.retry_after, self.request_id = transient, retry_after, request_id


def refused(response: httpx.Response) -> ApiError:
    """The error of an answer: the problem that was told; of what is no API of ours, at least the status."""
    try:
        told = response.json()
        message = str(told["detail"])
    except (ValueError, TypeError, LookupError):
        told, message = {}, f"{response.request.method} {response.request.url.path}: {response.status_code}"
    after = response.headers.get("retry-after", "")
    return ApiError(
        message,
        hint=str(told.get("hint", "")),
        status=response.status_code,
        error=str(told.get("error", "")),
        transient=bool(told.get("transient", response.status_code in {429, 502, 503})),
        retry_after=float(after) if after.isdigit() else None,
        request_id=str(told.get("request_id", "")),
    )


def unreachable(http: httpx.Client, error: httpx.TransportError) -> ApiError:
    words = f"{http.base_url.copy_with(userinfo=b'')}: {error or type(error).__name__}"
    return ApiError(words, hint="is `api` or `serve` running there?", transient=True)
