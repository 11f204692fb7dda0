"""The page `quality` in Portuguese, by its English."""

TEXTS: dict[str, str] = {
    "Score by day": "Pontuação por dia",
    "Scores of {n} datasets on {days} days": "Pontuações de {n} datasets em {days} dias",
    "No dataset has a score yet.": "Nenhum dataset tem ainda pontuação.",
    "No batch came in this period: choose a longer one.": "Nenhum lote chegou neste período: escolha um maior.",
    "Score over time": "Pontuação ao longo do tempo",
    "Scores of {names} over time": "Pontuações de {names} ao longo do tempo",
    "All datasets, and the parts of their scores": "Todos os datasets, e as partes das suas pontuações",
    "complete": "completo",
    "valid": "válido",
    "unique": "único",
    "consistent": "coerente",
    "in time": "a tempo",
    "as many": "quantidade",
    "accurate": "exato",
    "rules": "regras",
    "broken": "violadas",
    "in quarantine": "em quarentena",
    "collected": "recolhido",
    "Scores of all datasets": "Pontuações de todos os datasets",
    "Empty: not measured. What is accurate nobody knows without something to compare with.": (
        "Vazio: não medido. O que é exato ninguém sabe sem algo com que comparar."
    ),
    "Broken rules": "Regras violadas",
    "Which rules": "Que regras",
    "Nothing broke one of these.": "Nada violou uma destas.",
    "within what it allows": "dentro do que permite",
    "Line to paste": "Linha para colar",
    "the least score of each day, {zone}": "a menor pontuação de cada dia, {zone}",
    "Try them again": "Tentar outra vez",
    "The rows are judged by the rules as they are now: those that pass join the dataset.": (
        "As linhas são julgadas pelas regras como estão agora: as que passam juntam-se ao dataset."
    ),
    "Also beside newer rows, and what the gate would hold": "Também ao lado de linhas mais novas, e o que seria retido",
    "Else rows that newer ones took the place of stay here": (
        "Senão, ficam aqui as linhas cujo lugar foi tomado por outras mais novas"
    ),
    "Give them up": "Abandonar",
    "{rows} of {dataset} are given up for good. This cannot be undone.": (
        "{rows} de {dataset} são abandonadas de vez. Isto não pode ser desfeito."
    ),
    "Rows in quarantine, with the rules they broke": "Linhas em quarentena, com as regras que violaram",
    "1 more column is in the download.": "Mais 1 coluna está no ficheiro a descarregar.",
    "{n} more columns are in the download.": "Mais {n} colunas estão no ficheiro a descarregar.",
    "Quarantine": "Quarentena",
    "{rows}, the oldest of {time}": "{rows}, as mais antigas de {time}",
    "Batch of {dataset}": "Lote de {dataset}",
    "All": "Todas",
    "Critical": "Críticas",
    "Errors": "Erros",
    "Warnings": "Avisos",
    "No score is kept of these days.": "Nenhuma pontuação está guardada destes dias.",
    "Nothing was collected yet, so nothing was judged.": "Ainda nada foi recolhido, por isso nada foi julgado.",
    "The last batch is as it should be.": "O último lote está como deve ser.",
    "The last batches of all {n} datasets are as they should be.": (
        "Os últimos lotes de todos os {n} datasets estão como devem ser."
    ),
    "{n} of {all} datasets broke a rule: {names}.": "{n} de {all} datasets violaram uma regra: {names}.",
    "1 row waits in quarantine.": "1 linha espera em quarentena.",
    "{n} rows wait in quarantine.": "{n} linhas esperam em quarentena.",
    "{failed} of {of} ({percent} %)": "{failed} de {of} ({percent} %)",
    "1 batch: {score} points": "1 lote: {score} pontos",
    "{n} batches: least {low}, mean {mean}, last {last} points": (
        "{n} lotes: mínimo {low}, média {mean}, último {last} pontos"
    ),
    "1 row waits": "1 linha espera",
    "{n} rows wait": "{n} linhas esperam",
    "{accepted} of {replayed} rows joined the dataset; {failing} still break a rule.": (
        "{accepted} de {replayed} linhas juntaram-se ao dataset; {failing} ainda violam uma regra."
    ),
    "1 row was given up, {left} wait.": "1 linha foi abandonada, {left} esperam.",
    "{n} rows were given up, {left} wait.": "{n} linhas foram abandonadas, {left} esperam.",
    "{n} joined": "{n} juntaram-se",
    "{n} given up": "{n} abandonadas",
    "Nothing waits.": "Nada espera.",
}
