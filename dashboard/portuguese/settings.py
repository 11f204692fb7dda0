"""The pages `settings` and the way in, in Portuguese, by their English."""

TEXTS: dict[str, str] = {
    "Log in": "Entrar",
    "Log out": "Sair",
    "Log in with single sign-on": "Entrar com autenticação única",
    "Token": "Token",
    "`tokens create` on the machine of this page makes a token.": (
        "`tokens create` na máquina desta página cria um token."
    ),
    "There is no such token.": "Não existe tal token.",
    "Too many wrong tokens: wait a moment.": "Demasiados tokens errados: espere um momento.",
    "The token is not good any more.": "O token já não é válido.",
    "The identity provider tells no verified e-mail address.": (
        "O fornecedor de identidade não indica um endereço de correio verificado."
    ),
    "You are logged in, but `dashboard.auth` names you nowhere.": (
        "Está autenticado, mas `dashboard.auth` não o menciona em lado nenhum."
    ),
    "Single sign-on is not set up here: `.streamlit/secrets.toml` is missing or not whole.": (
        "A autenticação única não está configurada aqui: `.streamlit/secrets.toml` não existe ou não está completo."
    ),
    "No token exists: whoever is at this machine is operator.": (
        "Não existe nenhum token: quem está nesta máquina é operador."
    ),
    "{own} of {total} values are yours; the others are defaults.": (
        "{own} de {total} valores são seus; os outros são os predefinidos."
    ),
    "secrets are masked": "os segredos estão ocultos",
    "Schedules": "Agendamentos",
    "Schedules changed: {count} ({names}).": "Agendamentos alterados: {count} ({names}).",
    "run by {name}": "executados por {name}",
    "nobody works them off": "ninguém os executa",
    "Give a dataset a `schedule` in the configuration.": "Dê um `schedule` a um dataset na configuração.",
    "No dataset has a schedule.": "Nenhum dataset tem agendamento.",
    "paused by {name}": "em pausa por {name}",
    "next at {moment}": "próxima às {moment}",
    "last time {status}": "última vez {status}",
    "1 failure": "1 falha",
    "{n} failures in a row": "{n} falhas seguidas",
    "goes on": "continua",
    "overdue": "em atraso",
    "Pause all": "Pausar todos",
    "Resume all": "Retomar todos",
    "Pause": "Pausar",
    "Resume": "Retomar",
    "every dataset": "todos os datasets",
    "Nothing collects {name} on schedule until it is resumed.": (
        "Nada recolhe {name} segundo o agendamento até ser retomado."
    ),
    "Maintenance": "Manutenção",
    "purge, prune, compact, verify": "purgar, podar, compactar, verificar",
    "Operators can start it here.": "Os operadores podem iniciá-la aqui.",
    "Show what it would do": "Mostrar o que faria",
    "Do it": "Fazer",
    "What is past its retention is removed. This cannot be undone.": (
        "O que passou da retenção é removido. Isto não pode ser desfeito."
    ),
    "It would free {size}: {steps}.": "Libertaria {size}: {steps}.",
    "It freed {size}: {steps}.": "Libertou {size}: {steps}.",
    "nothing has to go": "nada tem de sair",
    "Not well: {steps}.": "Não está bem: {steps}.",
    "Is the system itself well?": "O próprio sistema está bem?",
    "well": "bem",
    "not well": "não está bem",
    "Channels": "Canais",
    "Search": "Procurar",
    "Only mine": "Só os meus",
    "Leave the defaults out": "Omite os predefinidos",
    "No value is like that.": "Nenhum valor é assim.",
    "Key": "Chave",
    "Value": "Valor",
    "From": "Origem",
    "Configuration": "Configuração",
}
