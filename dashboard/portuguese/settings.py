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
    "No token exists: whoever is at this machine is operator.": (
        "Não existe nenhum token: quem está nesta máquina é operador."
    ),
}
