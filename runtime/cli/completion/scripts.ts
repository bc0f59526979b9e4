/**
 * Completion scripts of the shells. Each asks `hivemind __complete -- WORDS…` and gets a line a candidate, with a
 * description behind a tab, or the one line `:files`. Loaded by `source <(hivemind completion bash)` and its like.
 */
export const shells = ['bash', 'zsh', 'fish', 'powershell'] as const;
export type Shell = (typeof shells)[number];

// Bash splits words at colons, which stand in image names: the line is read anew, and what stands before the last
// colon is taken off the candidates, since bash keeps it.
const bash = `_hivemind() {
  local line="\${COMP_LINE:0:COMP_POINT}" IFS=$' \\t\\n'
  local -a words
  read -ra words <<< "$line"
  [[ "$line" == *[[:space:]] ]] && words+=("")
  local current="\${words[-1]}" colons="" value
  [[ "$current" == *:* ]] && colons="\${current%:*}:"
  COMPREPLY=()
  while IFS=$'\\t' read -r value _; do
    if [[ "$value" == ":files" ]]; then compopt -o default 2>/dev/null; return; fi
    COMPREPLY+=("\${value#"$colons"}")
  done < <(hivemind __complete -- "\${words[@]:1}" 2>/dev/null)
  [[ "\${COMPREPLY[0]-}" == --*= ]] && compopt -o nospace 2>/dev/null
}
complete -F _hivemind hivemind
`;

const zsh = `#compdef hivemind
_hivemind() {
  local -a lines candidates
  local line value
  lines=("\${(@f)$(hivemind __complete -- "\${(@)words[2,CURRENT]}" 2>/dev/null)}")
  if [[ "\${lines[1]}" == ":files" ]]; then _files; return; fi
  for line in "\${lines[@]}"; do
    [[ -z "$line" ]] && continue
    value="\${line%%$'\\t'*}"
    if [[ "$line" == *$'\\t'* ]]; then candidates+=("\${value//:/\\\\:}:\${line#*$'\\t'}")
    else candidates+=("\${value//:/\\\\:}"); fi
  done
  _describe 'hivemind' candidates
}
if [[ "\${funcstack[1]}" == "_hivemind" ]]; then _hivemind "$@"; else compdef _hivemind hivemind; fi
`;

const fish = `function __hivemind_complete
    set -l words (commandline -opc)
    set -l lines (hivemind __complete -- $words[2..-1] (commandline -ct) 2>/dev/null)
    if test "$lines[1]" = ":files"
        __fish_complete_path (commandline -ct)
    else
        printf '%s\\n' $lines
    end
end
complete -c hivemind -f -a '(__hivemind_complete)'
`;

const powershell = `Register-ArgumentCompleter -Native -CommandName hivemind -ScriptBlock {
  param($wordToComplete, $commandAst, $cursorPosition)
  $words = @($commandAst.CommandElements | Select-Object -Skip 1 | ForEach-Object { $_.ToString() })
  if ($wordToComplete -eq '') { $words += '' }
  foreach ($line in @(hivemind __complete -- @words 2>$null)) {
    if ($line -eq ':files') { return }
    $value, $about = $line -split "\`t", 2
    if (-not $about) { $about = $value }
    [System.Management.Automation.CompletionResult]::new($value, $value, 'ParameterValue', $about)
  }
}
`;

export const scripts: Readonly<Record<Shell, string>> = { bash, zsh, fish, powershell };
