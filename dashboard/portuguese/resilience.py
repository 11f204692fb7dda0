"""The page `resilience` in Portuguese, by its English."""

TEXTS: dict[str, str] = {
    "look here": "veja aqui",
    "Circuits": "Circuitos",
    "Reset all": "Repor todos",
    "Every circuit is closed, nothing is held, no failure is remembered.": (
        "Todos os circuitos são fechados, nada fica retido, nenhuma falha é lembrada."
    ),
    "Serves": "Serve",
    "Open it": "Abrir o circuito",
    "Reset": "Repor",
    "Hold closed": "Manter fechado",
    "{name} is not asked any more, by no process, until somebody closes it.": (
        "{name} deixa de ser consultado, por qualquer processo, até alguém o fechar."
    ),
    "{name} is asked whatever fails, until somebody resets it.": (
        "{name} é consultado falhe o que falhar, até alguém o repor."
    ),
    "closed": "fechado",
    "half open": "meio aberto",
    "A strip for each provider: when its circuit was closed, open, or tried again": (
        "Uma faixa por fornecedor: quando o circuito esteve fechado, aberto ou a ser experimentado"
    ),
    "Cache": "Cache",
    "Clear": "Esvaziar",
    "Close it": "Fechar o circuito",
    "Every kept result goes; the next run asks the providers. No version is lost.": (
        "Todos os resultados guardados saem; a próxima execução consulta os fornecedores. Nenhuma versão se perde."
    ),
    "No provider is asked for anything.": "Nenhum fornecedor é consultado.",
    "No provider is asked yet.": "Ainda nenhum fornecedor é consultado.",
    "The circuit of {name} is {state} now.": "O circuito de {name} está agora {state}.",
    "Reset: {names}.": "Repostos: {names}.",
    "Nothing had to be reset.": "Nada precisava de ser reposto.",
    "The cache is empty: 1 result went.": "A cache está vazia: saiu 1 resultado.",
    "The cache is empty: {n} results went.": "A cache está vazia: saíram {n} resultados.",
    "1 of {total} circuits is open: {names}.": "1 de {total} circuitos está aberto: {names}.",
    "{n} of {total} circuits are open: {names}.": "{n} de {total} circuitos estão abertos: {names}.",
    "1 circuit is being tried again.": "1 circuito está a ser experimentado de novo.",
    "{n} circuits are being tried again.": "{n} circuitos estão a ser experimentados de novo.",
    "The one circuit is closed: its provider is asked.": "O único circuito está fechado: o fornecedor é consultado.",
    "All {total} circuits are closed: every provider is asked.": (
        "Os {total} circuitos estão fechados: todos os fornecedores são consultados."
    ),
    "held open": "mantido aberto",
    "held closed": "mantido fechado",
    "next try at {time}": "próxima tentativa às {time}",
    "1 trial call left": "resta 1 chamada de ensaio",
    "{n} trial calls left": "restam {n} chamadas de ensaio",
    "opened {count} times in a row": "aberto {count} vezes seguidas",
    "opens when {share} of the calls of {window} fail, {least} calls at least; tried again after {rest}": (
        "abre quando {share} das chamadas de {window} falham, pelo menos {least} chamadas; nova tentativa após {rest}"
    ),
    "opens when {share} of {window} calls fail, {least} calls at least; tried again after {rest}": (
        "abre quando {share} de {window} chamadas falham, pelo menos {least} chamadas; nova tentativa após {rest}"
    ),
    "{rate} requests in {span}": "{rate} pedidos em {span}",
    "{count} at once": "{count} em simultâneo",
    "{left} of {quota} left in {span}": "restam {left} de {quota} em {span}",
    "no limit": "sem limite",
    "not asked in the last run": "não consultado na última execução",
    "no retry in the last run": "nenhuma repetição na última execução",
    "{retried} of {asked} requests of the last run were retries": (
        "{retried} de {asked} pedidos da última execução foram repetições"
    ),
    "Hits": "Acertos",
    "not asked yet": "ainda não consultada",
    "Asked": "Consultada",
    "Results": "Resultados",
    "Size": "Tamanho",
    "Served stale": "Servidos fora de prazo",
}
