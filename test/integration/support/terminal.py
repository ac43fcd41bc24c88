# Runs a command on its own terminal. Lines on the standard input control it: `size COLUMNS ROWS`, `send HEX`, `stty`. The output of
# the command is passed on; the results of `stty` and the end are lines of the error output.
import fcntl, os, pty, select, signal, struct, sys, termios

def size(fd, columns, rows):
    fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

columns, rows = int(sys.argv[1]), int(sys.argv[2])
master, slave = pty.openpty()
size(master, columns, rows)
child = os.fork()
if child == 0:
    os.setsid()
    fcntl.ioctl(slave, termios.TIOCSCTTY, 0)
    for fd in (0, 1, 2):
        os.dup2(slave, fd)
    os.closerange(3, 256)
    os.execvp(sys.argv[3], sys.argv[3:])

def report(text):
    sys.stderr.write(text + "\n")
    sys.stderr.flush()

def modes():
    local = termios.tcgetattr(slave)[3]
    return "canonical" if local & termios.ICANON else "raw"

pending = b""
steering = True
status = None
while status is None:
    ready, _, _ = select.select([master] + ([0] if steering else []), [], [], 0.05)
    if master in ready:
        try:
            os.write(1, os.read(master, 65536))
        except OSError:
            pass
    if 0 in ready:
        data = os.read(0, 4096)
        if not data:
            steering = False
            os.kill(child, signal.SIGKILL)
        pending += data
        *lines, pending = pending.split(b"\n")
        for line in lines:
            word, *rest = line.decode().split()
            if word == "size":
                size(master, int(rest[0]), int(rest[1]))
                os.kill(child, signal.SIGWINCH)
            elif word == "send":
                os.write(master, bytes.fromhex(rest[0]))
            elif word == "stty":
                report("stty " + modes())
    ended, code = os.waitpid(child, os.WNOHANG)
    if ended == child:
        status = code
while select.select([master], [], [], 0.05)[0]:
    try:
        os.write(1, os.read(master, 65536))
    except OSError:
        break
report("stty " + modes())
report("exit " + (str(os.WEXITSTATUS(status)) if os.WIFEXITED(status) else "signal " + str(os.WTERMSIG(status))))
