"""`bentoml run`: call an API of a Bento once, without a server."""
