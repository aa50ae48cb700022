"""The operator's verbs: one module for each subject, one function for each verb."""
