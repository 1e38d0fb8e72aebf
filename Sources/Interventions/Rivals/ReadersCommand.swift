// A command of the reader's choice, such as a judge or a script that asks a model: it is given some bytes on
// standard input, and what it writes to standard output is taken, where it ends in time and well.

import Glibc

struct ReadersCommand: Sendable {
  let executable: String
  let arguments: [String]
  /// Seconds after which it is killed, with all that it has started.
  let limit: Double
  /// Bytes of output after which it is killed.
  let longest: Int

  /// Why there is no answer.
  enum Failure: Error, CustomStringConvertible {
    case noFile
    case cannotRun(String)
    case late(Double)
    case long(Int)
    /// How it ended, and the first line that it wrote to standard error.
    case ended(String, said: String?)

    var description: String {
      switch self {
      case .noFile: "no temporary file can be written; free some space below /tmp"
      case .cannotRun(let reason): "cannot be run: \(reason)"
      case .late(let limit):
        "took longer than \(limit) s and was ended; give it longer, or a faster one"
      case .long(let bytes): "wrote more than \(bytes) bytes and was ended"
      case .ended(let how, let said): "ended with \(how)" + (said.map { ": \($0)" } ?? "")
      }
    }
  }

  /// What the command writes to standard output, given `request`.
  ///
  /// All of its streams are files, so that a command which does not read, or writes on and on, blocks nothing;
  /// it leads a process group of its own, which is killed as one.
  func answer(to request: [UInt8]) throws(Failure) -> [UInt8] {
    let files = (0..<3).map { _ in tmpfile() }
    defer { for case let file? in files { fclose(file) } }
    guard let input = files[0], let output = files[1], let complaints = files[2],
      fwrite(request, 1, request.count, input) == request.count, fflush(input) == 0
    else { throw .noFile }
    rewind(input)
    let process = try spawn(fileno(input), fileno(output), fileno(complaints))
    let failure = wait(for: process, writing: fileno(output))
    // The group first, while the command's own id cannot be another's yet; also where it has ended, since
    // what it has started must not stay.
    kill(-process, SIGKILL)
    var status: Int32 = 0
    while waitpid(process, &status, 0) < 0, errno == EINTR {}
    if let failure { throw failure }
    guard status == 0 else {
      let how = status & 0x7F == 0 ? "exit status \(status >> 8)" : "signal \(status & 0x7F)"
      let lines = String(decoding: read(fileno(complaints)), as: UTF8.self).split(
        whereSeparator: \.isNewline)
      throw .ended(how, said: lines.first.map { String($0.prefix(200)) })
    }
    return read(fileno(output))
  }

  private func read(_ file: Int32) -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: longest)
    let count = pread(file, &bytes, bytes.count, 0)
    return Array(bytes.prefix(max(count, 0)))
  }

  private func spawn(_ input: Int32, _ output: Int32, _ complaints: Int32) throws(Failure) -> pid_t
  {
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    for (file, stream) in [
      (input, STDIN_FILENO), (output, STDOUT_FILENO), (complaints, STDERR_FILENO),
    ] {
      posix_spawn_file_actions_adddup2(&actions, file, stream)
    }
    var attributes = posix_spawnattr_t()
    posix_spawnattr_init(&attributes)
    defer { posix_spawnattr_destroy(&attributes) }
    posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETPGROUP))
    posix_spawnattr_setpgroup(&attributes, 0)
    var arguments = ([executable] + self.arguments).map { strdup($0) } + [nil]
    defer { for argument in arguments { free(argument) } }
    var process: pid_t = 0
    let error = posix_spawnp(&process, executable, &actions, &attributes, &arguments, environ)
    guard error == 0 else { throw .cannotRun(String(cString: strerror(error))) }
    return process
  }

  /// Waits until the command has ended, without taking its status; nil then, else why it must be killed.
  private func wait(for process: pid_t, writing output: Int32) -> Failure? {
    let start = ContinuousClock.now
    func isRunning() -> Bool {
      var information = siginfo_t()
      let found = waitid(P_PID, id_t(process), &information, WEXITED | WNOWAIT | WNOHANG)
      return found == 0 && information.si_signo == 0
    }
    func isLong() -> Bool {
      var file = stat()
      return fstat(output, &file) == 0 && file.st_size > longest
    }
    while isRunning(), !isLong() {
      guard (ContinuousClock.now - start) / .seconds(1) <= limit else { return .late(limit) }
      usleep(2000)
    }
    return isLong() ? .long(longest) : nil
  }
}
