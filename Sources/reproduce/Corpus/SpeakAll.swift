// Every voice in a process of its own, two at a time, with progress on one line.

import Foundation
import JSON
import Notebook

struct SpeakAll {
  let folder: URL
  /// What the progress line says is being made.
  let title: String
  var processes = 2

  /// Speaks each voice's rows into `folder`; the error of the first voice that fails.
  func run(_ lists: [(voice: Voice, rows: [Row])]) throws {
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    var waiting = lists[...]
    var running: [(voice: Voice, process: Process)] = []
    let total = lists.reduce(0) { $0 + $1.rows.count }
    defer {
      for child in running where child.process.isRunning { child.process.terminate() }
      for list in lists {
        for file in [rowsFile(list.voice), progressFile(list.voice)] {
          try? FileManager.default.removeItem(at: file)
        }
      }
    }
    while !waiting.isEmpty || !running.isEmpty {
      while running.count < processes, let next = waiting.popFirst() {
        running.append((next.voice, try start(next.voice, next.rows)))
      }
      Thread.sleep(forTimeInterval: 0.05)
      let done = lists.reduce(0) { $0 + progress($1.voice) }
      let names = running.map { "\($0.voice)" }.joined(separator: ", ")
      Progress.show("\(title): \(done) of \(total) utterances (\(names))")
      for child in running where !child.process.isRunning {
        guard child.process.terminationStatus == 0 else {
          Progress.clear()
          throw CorpusError("\(child.voice) could not be spoken; its message is above")
        }
      }
      running.removeAll { !$0.process.isRunning }
    }
    Progress.clear()
  }

  private func rowsFile(_ voice: Voice) -> URL {
    folder.appendingPathComponent("\(voice).rows.json")
  }
  private func progressFile(_ voice: Voice) -> URL {
    folder.appendingPathComponent("\(voice).progress")
  }

  private func progress(_ voice: Voice) -> Int {
    let attributes = try? FileManager.default.attributesOfItem(atPath: progressFile(voice).path)
    return (attributes?[.size] as? NSNumber)?.intValue ?? 0
  }

  private func start(_ voice: Voice, _ rows: [Row]) throws -> Process {
    try writeAtomically(JSON.array(rows.map(\.json)).compactText, to: rowsFile(voice).path)
    guard FileManager.default.createFile(atPath: progressFile(voice).path, contents: nil) else {
      throw CorpusError("\(folder.relativePath) cannot be written")
    }
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath()
    process.arguments = [
      "speak-voice", "\(voice)", "--rows", rowsFile(voice).path, "--into", folder.path,
    ]
    process.standardOutput = try FileHandle(forWritingTo: progressFile(voice))
    process.standardInput = FileHandle.nullDevice
    try process.run()
    return process
  }
}

/// One line on the terminal that says how far things are; nothing where there is no terminal.
enum Progress {
  static func show(_ text: String) {
    guard isatty(2) == 1 else { return }
    writeToStandardError("\r\u{1B}[K\(text)")
  }

  static func clear() { show("") }
}
