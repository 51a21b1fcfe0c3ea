"""Who acts, in which post, and who may read what: posts, tokens, client keys; sealed texts and their keys."""
