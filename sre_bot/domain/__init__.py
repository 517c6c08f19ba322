"""The nouns and the law. Pure values: no I/O, no LangGraph, no vendor's library but pydantic."""
