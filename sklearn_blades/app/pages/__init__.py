"""What stands on a page: facts and rows come in, numbers, words and geometry for templates go out.

The templates draw and escape; nothing here writes markup but `environment.py`, which fills them.
"""
