"""Discovery's script and service: submit files, verify them once their state has moved on."""

STACK = "Discovery"
