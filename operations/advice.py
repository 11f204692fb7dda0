"""What to do about the rules that a dataset's last batch broke, with the line to paste."""

from data_pipeline.score import advice as advise
from data_pipeline.validate.report import Report
from integrated_system import IntegratedSystem


def advice(system: IntegratedSystem, dataset: str) -> list[str]:
    """One sentence a broken rule of the batch collected last, held or accepted; worst first. Empty when all is well."""
    system.settings.dataset(dataset)
    versions = system.views.versions(dataset)
    return advise(Report.from_json(versions[0].body["report"])) if versions else []


def notes(system: IntegratedSystem, dataset: str) -> list[str]:
    """What was guessed, cut or missing when the dataset's last batch was read."""
    system.settings.dataset(dataset)
    versions = system.views.versions(dataset)
    return [str(note) for note in versions[0].body["notes"]] if versions else []
