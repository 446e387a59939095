"""`tocsin completion bash | zsh | fish`: what a shell needs to complete commands and options."""

from __future__ import annotations

import sys
from typing import Literal

from node.commands.common import OK


def completion(shell: Literal["bash", "zsh", "fish"], /) -> int:
    """Print a script that completes commands and options in your shell.

    Example: `tocsin completion bash > ~/.local/share/bash-completion/completions/tocsin`

    Example: `tocsin completion zsh > ~/.zfunc/_tocsin`; with `fpath+=~/.zfunc` ahead of compinit in ~/.zshrc

    Example: `tocsin completion fish > ~/.config/fish/completions/tocsin.fish`

    Parameters
    ----------
    shell
        A shell started afterwards completes; this one does after `source <(tocsin completion bash)`.
    """
    from node.cli import build_app

    sys.stdout.write(build_app().generate_completion(shell=shell))
    return OK
