"""The small grammar of expressions that users write: text in, checked tree out. Nothing is ever evaluated here."""
