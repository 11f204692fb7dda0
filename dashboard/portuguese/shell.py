"""What all pages have, in Portuguese, by its English."""

TEXTS: dict[str, str] = {
    "Overview": "Visão geral",
    "Dataset": "Dataset",
    "Runs": "Execuções",
    "Incidents": "Incidentes",
    "Quality": "Qualidade",
    "Anomalies": "Anomalias",
    "Resilience": "Resiliência",
    "Host": "Máquina",
    "Events": "Eventos",
    "Settings": "Configuração",
    "{span} ago": "há {span}",
    "no data yet": "ainda sem dados",
    "stale": "desatualizado",
    "cannot be read": "não pode ser lido",
    "paused at {time}": "em pausa desde {time}",
    "updated {ago}": "atualizado {ago}",
    "not yet": "ainda não",
    "Live": "Ao vivo",
    "Look at the state every two seconds; off: the page stays still": (
        "Consulta o estado a cada dois segundos; desligado: a página fica parada"
    ),
    "Period": "Período",
    "1 hour": "1 hora",
    "6 hours": "6 horas",
    "24 hours": "24 horas",
    "7 days": "7 dias",
    "30 days": "30 dias",
    "everything": "tudo",
    "Language": "Idioma",
    "As of (UTC)": "À data de (UTC)",
    "Show this page as it was at that time": "Mostra esta página como era nesse momento",
    "This is no moment of the past: {given}. Shown is now.": (
        "Isto não é um momento do passado: {given}. Mostra-se agora."
    ),
    "now": "agora",
    "the past": "o passado",
    "As it was at {moment}; nothing can be changed here.": "Como era em {moment}; aqui nada pode ser alterado.",
    "Back to now": "Voltar a agora",
    "Try again": "Tentar de novo",
    "Close": "Fechar",
    "viewer": "leitor",
    "operator": "operador",
    "admin": "administrador",
    "It is being done.": "Está a ser feito.",
    "Times are UTC. What you do here is logged as done by {name}.": (
        "As horas são UTC. O que faz aqui fica registado como feito por {name}."
    ),
    "done": "feito",
    "going on": "em curso",
    "failed": "falhou",
    "Not done: {message}": "Não feito: {message}",
    "Reason": "Motivo",
    "Yes, do it": "Sim, fazer",
    "The run waits for its turn.": "A execução espera a sua vez.",
    "The run has done {done} of {total} datasets.": "A execução fez {done} de {total} datasets.",
    "The run succeeded in {span}.": "A execução terminou bem em {span}.",
    "The run ended {status} in {span}: {counts} ({names}).": (
        "A execução terminou ({status}) em {span}: {counts} ({names})."
    ),
    "The run is {status}: it stopped after {done} of {total} datasets.": (
        "A execução está {status}: parou depois de {done} de {total} datasets."
    ),
    "The run still waits. If nobody takes it up: logs/detached.log of the state directory says why.": (
        "A execução ainda espera. Se ninguém a tomar: logs/detached.log da pasta de estado diz porquê."
    ),
    "The backfill waits for its turn.": "O preenchimento espera a sua vez.",
    "The backfill has done {done} of {total} pieces.": "O preenchimento fez {done} de {total} partes.",
    "The backfill collected {collected} of {total} pieces ({held} held, {failed} failed, {waiting} left).": (
        "O preenchimento recolheu {collected} de {total} partes ({held} retidas, {failed} falhadas, faltam {waiting})."
    ),
    "succeeded": "com êxito",
    "degraded": "degradado",
    "skipped": "saltado",
    "crashed": "interrompida por falha",
    "cancelled": "cancelada",
    "interrupted": "interrompida",
    "running": "em curso",
    "queued": "em espera",
    "never ran": "nunca executado",
    "Download CSV": "Descarregar CSV",
    "Shown": "Mostrado",
    "and {n} more": "e mais {n}",
    " and {n} more": " e mais {n}",
    "rule": "regra",
    "since": "desde",
    "dataset": "dataset",
    "row": "linha",
    "broke": "violou",
    "points": "pontos",
    "{n} rows": "{n} linhas",
}
