"""What `preau doctor` looks at, one module a matter. The entry points `preau.checks` name them."""
