"""How things look on pages: values, charts and lists made from what operations return.

Decides nothing and changes nothing.
"""
