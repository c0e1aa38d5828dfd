#!/usr/bin/env python3
"""Completion scripts, manual pages and reference pages have every command and flag that --help has; shells take the scripts
and complete with them."""
import os
import re
import shutil
import subprocess

import tool

FLAG = re.compile(r"(?<![\w-])--?[a-zA-Z][\w-]*")


def commands_of(help_text):
    """The names under "Subcommands:"."""
    part = help_text.split("Subcommands:", 1)
    return re.findall(r"^  ([a-z]+) ", part[1], re.M) if len(part) == 2 else []


def flags_of(help_text):
    """Flags at the begin of the lines of --help's table: CLI11 indents them by two."""
    found = set()
    for line in help_text.splitlines():
        if re.match(r"  -", line):
            # Names come first, joined by commas; what follows is about values.
            found.update(FLAG.findall(re.match(r"  ((?:--?[a-zA-Z][\w-]*,?)+)", line).group(1)))
    return found


def llvm_flags_of(help_text):
    """LLVM's table: "  --name=<value>   - what", passes deeper, their own options deepest."""
    return {m.group(1) for m in re.finditer(r"^ {2,6}(--?[a-zA-Z][\w.-]*)(?=[ =\[])[^\n]*? - ", help_text, re.M)}


def bash(script, *words, directory=None):
    """What bash offers when the last of the words is being typed."""
    name = words[0].replace("-", "_")
    code = f'source "{script}"; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _{name}; printf "%s\\n" "${{COMPREPLY[@]}}"'
    done = subprocess.run(["bash", "--noprofile", "--norc", "-c", code, "bash", *words], capture_output=True, text=True,
                          cwd=directory, check=True)
    assert not done.stderr, done.stderr
    return [line for line in done.stdout.splitlines() if line]


def check_program(path, directory):
    name = os.path.basename(path)
    made = {kind: tool.run(path, "completion", kind) for kind in ("bash", "zsh", "fish")}
    made.update({kind: tool.run(path, "reference", kind) for kind in ("man", "markdown")})
    helps = {"": tool.run(path, "--help")}
    if name == "llama-opt":
        # LLVM hides --help-list until it prints --help.
        everything = llvm_flags_of(helps[""]) - {"--help-list"}
        assert len(everything) > 80 and "--shard-partition" in everything, sorted(everything)
    else:
        for command in commands_of(helps[""]):
            helps[command] = tool.run(path, command, "--help")
        everything = set().union(*(flags_of(text) for text in helps.values()))
        assert len(helps) >= 3 and len(everything) > 15, (helps.keys(), everything)
    for kind, text in made.items():
        plain = re.sub(r"\\f[BIR]", "", text).replace("\\-", "-")
        for flag in everything:
            if kind == "fish":  # complete -l NAME, -s LETTER, -o NAME
                bare = flag.lstrip("-")
                assert re.search(rf"-[lso] '{re.escape(bare)}'", text), (name, kind, flag)
            else:
                assert re.search(rf"(?<![\w-]){re.escape(flag)}(?![\w-])", plain), (name, kind, flag)
        for command in helps:
            assert command in plain, (name, kind, command)
    files = {}
    for kind, text in made.items():
        files[kind] = os.path.join(directory, f"{name}.{kind}")
        with open(files[kind], "w", encoding="utf-8") as out:
            out.write(text)
    subprocess.run(["bash", "-n", files["bash"]], check=True)
    for shell in ("zsh", "fish"):
        if shutil.which(shell):
            subprocess.run([shell, "-n", files[shell]], check=True)
        else:
            print(f"{shell} is not installed: its script was not parsed")
    if shutil.which("groff"):
        done = subprocess.run(["groff", "-man", "-ww", "-Tutf8", files["man"]], capture_output=True, text=True, check=True)
        assert not done.stderr, done.stderr
        shown = re.sub(".\x08", "", done.stdout).replace("\u2212", "-").replace("\u2010", "-")  # bold is struck twice
        assert f"{name} - " in " ".join(shown.split()), shown[:400]
    # Every flag, command by command.
    for command, text in helps.items():
        wanted = everything if name == "llama-opt" else flags_of(text)
        offered = set(bash(files["bash"], name, *([command] if command else []), "-"))
        assert wanted <= offered, (name, command, wanted - offered)
    return files["bash"]


def check_installed(args, directory):
    """`cmake --install` puts the programs and all pages where shells and man look; dialect and pass pages are complete."""
    prefix = os.path.join(directory, "prefix")
    tool.run(args.cmake, "--install", args.build, "--prefix", prefix)
    share = os.path.join(prefix, "share")
    for program in ("llamac", "llamarun", "llama-opt"):
        for path in (f"../bin/{program}", f"bash-completion/completions/{program}", f"zsh/site-functions/_{program}",
                     f"fish/vendor_completions.d/{program}.fish", f"man/man1/{program}.1",
                     f"doc/llamac/reference/{program}.md"):
            assert os.path.getsize(os.path.join(share, path)) > 300, path
    tool.run(os.path.join(prefix, "bin", "llamac"), "--version")

    def page(name):
        with open(os.path.join(share, "doc/llamac/reference", name), encoding="utf-8") as file:
            return file.read()

    for dialect in ("llm", "plan"):
        names = set()
        folder = os.path.join(args.source, "dialects", dialect)
        for file in sorted(os.listdir(folder)):
            if file.endswith(".td"):
                with open(os.path.join(folder, file), encoding="utf-8") as td:
                    names.update(re.findall(r'^def \w+Op\s*: (?:Llm|Plan)_\w+<"(\w+)"', td.read(), re.M))
        assert len(names) > 10, (dialect, names)
        missing = [n for n in names if f"`{dialect}.{n}`" not in page(f"dialect-{dialect}.md")]
        assert not missing, missing
    phases = sorted(os.listdir(os.path.join(args.source, "passes")))
    for phase in phases:
        definitions = os.path.join(args.source, "passes", phase, "Passes.td")
        if os.path.exists(definitions):
            with open(definitions, encoding="utf-8") as td:
                flags = re.findall(r'^def \w+\s*:\s*(?:Interface)?Pass<"([\w-]+)"', td.read(), re.M)
            assert flags and not [f for f in flags if f"`-{f}`" not in page(f"passes-{phase}.md")], (phase, flags)


def main():
    p = tool.parser(__doc__)
    p.add_argument("--llama-opt", required=True)
    p.add_argument("--cmake", required=True)
    p.add_argument("--build", required=True)
    p.add_argument("--source", required=True)
    args = p.parse_args()
    with tool.scratch() as directory:
        run, compiler, opt = (check_program(path, directory) for path in (args.llamarun, args.llamac, args.llama_opt))
        assert bash(run, "llamarun", "tr") == ["train"]
        assert bash(run, "llamarun", "train", "plan.fb", "--tune", "") == ["off", "load", "force"]
        # bash makes three words of --tune=l.
        assert bash(run, "llamarun", "train", "--tune", "=", "l") == ["load"]
        assert bash(run, "llamarun", "train", "--tune", "=") == ["off", "load", "force"]
        assert bash(run, "llamarun", "train", "--seed", "") == []
        assert bash(run, "llamarun", "completion", "") == ["bash", "zsh", "fish"]
        assert bash(compiler, "llamac", "--target", "c") == ["cpu", "cuda"]
        assert bash(compiler, "llamac", "--compile-to", "=", "f") == ["fused"]
        place = os.path.join(directory, "place")
        os.makedirs(place)
        open(os.path.join(place, "a plan.fb"), "w").close()
        assert bash(run, "llamarun", "inspect", "a", directory=place) == ["a plan.fb"]
        assert bash(run, "llamarun", "train", "--weights", "a", directory=place) == ["a plan.fb"]
        assert "import" in bash(compiler, "llamac", "") and bash(compiler, "llamac", "import", "--na") == ["--name"]
        assert bash(opt, "llama-opt", "--graph-ver") == ["--graph-verify"]
        for path in (args.llamarun, args.llamac, args.llama_opt):
            done = subprocess.run([path, "completion", "tcsh"], capture_output=True, text=True)
            assert done.returncode == 2 and "tcsh" in done.stderr and not done.stdout, done
        check_installed(args, directory)
    print("ok")


if __name__ == "__main__":
    main()
