"""What a protocol's own contracts can close today, who may do it, and what stays open: read, and tried as an eth_call;
nothing is signed or sent, no key is needed."""
