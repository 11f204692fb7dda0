"""One exception family for the line. The first question is always "does it make sense to try again?".

PipelineError                      .hint: what to do next   .transient: worth another try
├── CollectError                   nothing (usable) came from the provider   .provider
│   ├── ProviderUnavailable        may pass: time-out, reset, DNS, 408, 425, 429, 5xx   .retry_after .status .unreached
│   │   └── NetworkAway            the same, while our own network is away: says nothing about the provider
│   ├── ProviderRefused            will not pass by itself: other 4xx, forbidden address   .status
│   │   └── RequestRefused         our own protection said no   .refused_by .retry_after
│   └── PayloadUnreadable          it answered, but not what was promised: HTML, cut off, too large, wrong encoding
├── TransformFailed                the function of a derived dataset failed, or does not take its inputs
├── UpstreamBlocked                nothing was done, for what a dataset is made of is held, missing or blocked itself
├── BatchNotDelivered              collected, but held or rejected, and there is nothing older to serve
├── MemoryLimitExceeded            a whole table was asked for that does not fit into `app.memory_limit`
├── StoreError                     a version could not be written or read
├── DatasetBusy                    another process works on the dataset just now
├── WorkerKilled                   the processes that ran a dataset died, one after the other
├── ExecutorAway                   what runs datasets cannot be reached, or cannot run ours; the run goes on later
├── PublishError                   a version could not be put where `publish` says; it waits and goes out later
└── UnexpectedError                a fault of ours (or of a plug-in): one dataset pays, the others do not notice
"""


class PipelineError(Exception):
    """Base of the family. `str(error)` says what was wrong and where; `hint` says what to do.

    `missing`: there is nothing of the name that was asked for.
    """

    transient = False

    def __init__(self, message: str, *, hint: str = "", missing: bool = False) -> None:
        super().__init__(message)
        self.hint, self.missing = hint, missing


class CollectError(PipelineError):
    """A dataset could not be collected."""

    def __init__(self, message: str, *, hint: str = "", provider: str = "", attempts: int = 1) -> None:
        super().__init__(message, hint=hint)
        self.provider = provider
        self.attempts = attempts


class ProviderUnavailable(CollectError):
    """The provider failed in a way that may pass.

    `retry_after`: seconds it asked us to wait, if it did. `unreached`: the host from which no whole answer came; "":
    it answered, or is not reached over a network.
    """

    transient = True

    def __init__(
        self,
        message: str,
        *,
        hint: str = "",
        provider: str = "",
        attempts: int = 1,
        status: int | None = None,
        retry_after: float | None = None,
        unreached: str = "",
    ) -> None:
        super().__init__(message, hint=hint, provider=provider, attempts=attempts)
        self.status = status
        self.retry_after = retry_after
        self.unreached = unreached


class NetworkAway(ProviderUnavailable):
    """Nobody can be reached from here, so this failure is not the provider's."""


class ProviderRefused(CollectError):
    """The provider said no; asking again would get the same answer."""

    def __init__(
        self, message: str, *, hint: str = "", provider: str = "", attempts: int = 1, status: int | None = None
    ) -> None:
        super().__init__(message, hint=hint, provider=provider, attempts=attempts)
        self.status = status


class RequestRefused(ProviderRefused):
    """Our own protection of the provider refused a request, or the time for the dataset was over.

    `refused_by`: circuit, limit, quota, bulkhead or deadline; `retry_after`: seconds until a new try makes sense.
    """

    transient = True

    def __init__(
        self,
        message: str,
        *,
        refused_by: str,
        retry_after: float,
        hint: str = "",
        provider: str = "",
        attempts: int = 1,
    ) -> None:
        super().__init__(message, hint=hint, provider=provider, attempts=attempts)
        self.refused_by = refused_by
        self.retry_after = retry_after


class PayloadUnreadable(CollectError):
    """The provider answered, but not with the promised format. A retry would not help."""


class TransformFailed(PipelineError):
    """The function of a derived dataset failed, or cannot be called with what it depends on."""


class UpstreamBlocked(PipelineError):
    """A dataset that this one needs has no rows to build on, or a batch of it waits for a decision.

    `root`: the words on where it begins, of a chain of datasets that wait for one another.
    """

    transient = True

    def __init__(self, message: str, *, root: str, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.root = root


class BatchNotDelivered(PipelineError):
    """A batch came, was held or rejected by the gate, and there is no older copy to serve."""


class MemoryLimitExceeded(PipelineError):
    """The whole table was asked for and is larger than `app.memory_limit`."""


class StoreError(PipelineError):
    """A version could not be written or read."""


class DatasetBusy(PipelineError):
    """Another process works on the dataset; it will be done soon."""

    transient = True


class WorkerKilled(PipelineError):
    """Each process that was given the dataset died of it."""


class ExecutorAway(PipelineError):
    """Nobody is there to run datasets, or nobody who can: no run begins, one that did is interrupted."""

    transient = True


class PublishError(PipelineError):
    """A version could not be handed to a sink.

    `away`: nothing on its server can be reached. `retry_after`: seconds before which another try makes no sense.
    `final`: this version is refused for good; it waits no longer, and later ones go on.
    """

    def __init__(
        self,
        message: str,
        *,
        hint: str = "",
        transient: bool = False,
        away: bool = False,
        retry_after: float | None = None,
        final: bool = False,
    ) -> None:
        super().__init__(message, hint=hint)
        self.transient = transient
        self.away = away
        self.retry_after = retry_after
        self.final = final


class UnexpectedError(PipelineError):
    """Something broke that nobody foresaw. It costs this dataset its turn, and never the whole run."""
