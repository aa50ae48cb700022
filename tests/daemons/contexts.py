"""A job's context for tests of what the worker does."""


class Context:
    """A job's context that notes what it is told."""

    def __init__(self, site, job):
        self.site, self.job, self.told = site, job, []

    def progress(self, part, stage):
        self.told.append(stage)

    def line(self, text, *, part, stage):
        self.told.append(text)

    def show(self, result, *, part, stage):
        self.told.append((round(part, 2), stage, len(result.get("verdicts", ()))))

    def check(self):
        pass
