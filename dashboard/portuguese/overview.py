"""The page `overview` in Portuguese, by its English."""

TEXTS: dict[str, str] = {
    "Run now": "Executar agora",
    "Collect every dataset now, in a process of its own": "Recolhe já todos os datasets, num processo próprio",
    "Nothing has run yet.": "Ainda nada foi executado.",
}
