# Sourced with the path that a script makes in `target`. Two runs at once: the second waits, and then finds the result.
mkdir -p "$(dirname "$target")"
exec 9>"$target.lock"
flock 9
