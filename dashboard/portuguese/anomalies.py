"""The page `anomalies` in Portuguese, by its English."""

TEXTS: dict[str, str] = {
    "unusual": "invulgar",
    "as usual": "como de costume",
    "Sticks out now": "Destaca-se agora",
    "What belongs together": "O que pertence junto",
    "Trouble ahead": "Problemas à vista",
    "No series has enough points to be judged.": "Nenhuma série tem pontos suficientes para ser avaliada.",
    "Twelve are enough.": "Doze bastam.",
    "Nothing can be judged yet.": "Ainda nada pode ser avaliado.",
    "None of {judged} series sticks out now.": "Nenhuma das {judged} séries se destaca agora.",
    "{count} of {judged} series stick out now: {names}.": "{count} de {judged} séries destacam-se agora: {names}.",
    "what sticks out together, and with how much of it": "o que se destaca em conjunto, e com que parte",
    "ahead": "à vista",
    "learning": "a aprender",
    "{kind}: {series}, by {name}": "{kind}: {series}, por {name}",
    "expected": "esperado",
    "{count} values, {low} to {high}; {flagged} would be told.": (
        "{count} valores, de {low} a {high}; {flagged} seriam comunicados."
    ),
    "Nothing was measured in this period.": "Nada foi medido neste período.",
    "Choose a longer one.": "Escolha um mais longo.",
    "It is fine": "Está bem",
    "This one is no anomaly.": "Esta não é uma anomalia.",
    "Fine since then": "Bem desde então",
    "None that was told since then is one.": "Nenhuma das comunicadas desde então o é.",
    "Normal from here": "Normal a partir daqui",
    "What was before is no past any more.": "O que houve antes deixa de contar como passado.",
    "Heard, about {names}.": "Registado, sobre {names}.",
    "Look closely": "Ver de perto",
    "No series is kept yet: each run leaves some.": "Ainda não há séries: cada execução deixa algumas.",
    "Series": "Séries",
    "False alarms in 1,000 points": "Falsos alarmes em 1.000 pontos",
    "The marks show what would have been told at this rate; nothing is changed by it.": (
        "As marcas mostram o que teria sido comunicado a esta taxa; isso não altera nada."
    ),
    "The whole period": "O período inteiro",
    "What would be told: {count}": "O que seria comunicado: {count}",
    "What was said": "O que foi dito",
    "Take it back": "Retirar",
    "It counts no more.": "Já não conta.",
    "Still learning: {count}": "Ainda a aprender: {count}",
}
