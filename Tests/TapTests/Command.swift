// `tap` as its user runs it, on a copy of the shipped checkpoint of which one file is broken.

import Foundation
import JSON
import Testing

/// What a run of the command left.
struct Ran {
  let status: Int32
  let out: String
  let err: String
}

/// The path of the built `tap`, which lies beside the tests.
let tapExecutable = URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath()
  .deletingLastPathComponent().appendingPathComponent("tap").path

/// - Parameter command: what a shell does first, such as setting a limit
func tap(_ arguments: [String], after command: String? = nil) throws -> Ran {
  let process = Process()
  process.executableURL = URL(fileURLWithPath: tapExecutable)
  process.arguments = arguments
  if let command {
    process.executableURL = URL(fileURLWithPath: "/bin/bash")
    // A program that waits for ever is ended, with the status 124.
    process.arguments =
      ["-c", "\(command); exec timeout 60 \"$0\" \"$@\"", tapExecutable] + arguments
  }
  let (out, err) = (Pipe(), Pipe())
  (process.standardOutput, process.standardError) = (out, err)
  try process.run()
  // Messages are short, so that one pipe never waits for the other.
  let written = out.fileHandleForReading.readDataToEndOfFile()
  let said = err.fileHandleForReading.readDataToEndOfFile()
  process.waitUntilExit()
  // A process that was killed by a signal has the signal as its status, and is told apart here.
  let crashed = process.terminationReason == .uncaughtSignal
  return Ran(
    status: crashed ? -process.terminationStatus : process.terminationStatus,
    out: String(decoding: written, as: UTF8.self), err: String(decoding: said, as: UTF8.self))
}

/// A copy of the shipped checkpoint and one second of sound.
final class Broken {
  let folder: String
  let audio: String

  static let root = URL(fileURLWithPath: #filePath)
    .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()

  init() throws {
    let scratch = FileManager.default.temporaryDirectory
      .appendingPathComponent("tap-tests-\(UUID().uuidString)")
    folder = scratch.path
    audio = "\(folder).wav"
    try FileManager.default.copyItem(
      at: Broken.root.appendingPathComponent("artifacts/qwen2-audio-small"), to: scratch)
    try write(sound: (0..<16_000).map { Int16(8000 * sin(0.1 * Double($0))) })
  }

  deinit {
    try? FileManager.default.removeItem(atPath: folder)
    try? FileManager.default.removeItem(atPath: audio)
  }

  func write(_ name: String, _ bytes: [UInt8]) throws {
    try Data(bytes).write(to: URL(fileURLWithPath: "\(folder)/\(name)"))
  }

  func write(_ name: String, _ text: String) throws { try write(name, Array(text.utf8)) }

  func read(_ name: String) throws -> [UInt8] {
    [UInt8](try Data(contentsOf: URL(fileURLWithPath: "\(folder)/\(name)")))
  }

  func remove(_ name: String) throws {
    try FileManager.default.removeItem(atPath: "\(folder)/\(name)")
  }

  /// Changes members of a JSON file.
  func edit(_ name: String, _ change: (inout [String: JSON]) -> Void) throws {
    var members = try JSON(parsing: read(name), name: name).members!
    change(&members)
    try write(name, JSON.object(members).text)
  }

  /// Changes the header of the weights, their numbers staying.
  func editHeader(_ change: (inout [String: JSON]) -> Void) throws {
    let bytes = try read("model.safetensors")
    let length = (0..<8).reduce(0) { $0 | Int(bytes[$1]) << (8 * $1) }
    var members = try JSON(parsing: Array(bytes[8..<8 + length]), name: "header").members!
    change(&members)
    let text = Array(JSON.object(members).compactText.utf8)
    let size = (0..<8).map { UInt8(truncatingIfNeeded: text.count >> (8 * $0)) }
    try write("model.safetensors", size + text + bytes[(8 + length)...])
  }

  /// Adds a tensor of one number to the weights.
  func addTensor(_ name: String) throws {
    let bytes = try read("model.safetensors")
    let length = (0..<8).reduce(0) { $0 | Int(bytes[$1]) << (8 * $1) }
    let end = bytes.count - 8 - length
    try editHeader {
      $0[name] = [
        "dtype": "BF16", "shape": [1], "data_offsets": [.integer(end), .integer(end + 2)],
      ]
    }
    try write("model.safetensors", read("model.safetensors") + [0, 0])
  }

  /// Replaces the recording by a WAV file of one channel.
  func write(sound samples: [Int16], rate: Int = 16_000) throws {
    func little(_ value: Int, _ width: Int) -> [UInt8] {
      (0..<width).map { UInt8(truncatingIfNeeded: value >> (8 * $0)) }
    }
    let size = 2 * samples.count
    let format =
      little(16, 4) + little(1, 2) + little(1, 2) + little(rate, 4) + little(2 * rate, 4)
      + little(2, 2) + little(16, 2)
    let bytes =
      Array("RIFF".utf8) + little(size + 36, 4) + Array("WAVEfmt ".utf8) + format
      + Array("data".utf8) + little(size, 4) + samples.flatMap { little(Int($0), 2) }
    try Data(bytes).write(to: URL(fileURLWithPath: audio))
  }

  /// The arguments of each command that opens the model.
  func commands(_ prompt: [String] = ["--prompt", "first thing:"]) -> [[String]] {
    [
      ["inspect", "--model", folder], ["logits", "--model", folder, "--audio", audio] + prompt,
      ["generate", "--model", folder, "--audio", audio, "--json"] + prompt,
    ]
  }

  /// Every command, or the last ones of them, ends with a status above 0 and one message on standard
  /// error that holds all of `words`; nothing is on standard output but `inspect`'s report.
  func refuses(
    _ commands: [[String]]? = nil, _ words: String...,
    at location: SourceLocation = #_sourceLocation
  ) throws {
    for arguments in commands ?? self.commands() {
      let ran = try tap(arguments)
      let shown: Comment = "\(arguments.joined(separator: " ")): \(ran.status) \(ran.out)\(ran.err)"
      #expect(ran.status > 0, shown, sourceLocation: location)
      #expect(
        ran.err.hasPrefix("tap: ") || ran.err.hasPrefix("Error: "), shown, sourceLocation: location)
      let messages = ran.err.split(separator: "\n").filter {
        $0.hasPrefix("tap: ") || $0.hasPrefix("Error: ")
      }
      #expect(messages.count == 1, shown, sourceLocation: location)
      #expect(ran.out.isEmpty || arguments[0] == "inspect", shown, sourceLocation: location)
      for word in words { #expect(ran.err.contains(word), shown, sourceLocation: location) }
    }
  }
}
