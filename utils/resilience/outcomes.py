"""What tells against a provider: which errors, and which results that came back all the same."""

from collections.abc import Callable

from utils.resilience.errors import RejectedError

Which = Callable[[Exception], bool] | type[Exception] | tuple[type[Exception], ...]
"""Which exceptions: a type, some types, or a predicate."""


class Outcomes:
    """The caller's predicates. They run without a lock, and what they raise goes to the caller.

    Args:
        is_failure: Which exceptions tell against the provider; `None`: all.
        ignore: Which tell nothing; wins over `is_failure`.
        is_failed_result: Whether a result that came back means a failure.
    """

    def __init__(
        self, is_failure: Which | None, ignore: Which | None, is_failed_result: Callable[..., bool] | None
    ) -> None:
        self._is_failure, self._ignore = _predicate(is_failure), _predicate(ignore)
        self.is_failed_result = is_failed_result

    def tells_against(self, error: BaseException) -> bool:
        """Whether `error` is a failure of the provider; a rejection, a cancellation and Ctrl-C never are."""
        if not isinstance(error, Exception) or isinstance(error, RejectedError):
            return False
        if self._ignore is not None and self._ignore(error):
            return False
        return self._is_failure is None or bool(self._is_failure(error))


def _predicate(which: Which | None) -> Callable[[Exception], bool] | None:
    if isinstance(which, type | tuple):
        types = which
        return lambda error: isinstance(error, types)
    return which
