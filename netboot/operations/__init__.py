"""The operator's verbs: one module a subject, one function a verb."""
