// An utterance of a suite: what is said, by whom, where its phones lie, and how its sound is had.

import JSON
import Speech

/// How an utterance comes to its samples.
public enum Sound: Sendable, Equatable {
  /// A recording below the package, with silence before and behind it (in samples at 16 kHz), which
  /// brings two engines' boundaries together.
  case recording(file: String, lead: Int, tail: Int)
  /// A recording below the package in noise.
  case mixture(file: String, NoiseMix)
  /// Digits that people recorded; the recordings are no part of the package.
  case digits(DigitString)
}

/// An utterance of a suite and what is known of it.
public struct Utterance: Sendable {
  /// A phone, digit or word with its bounds in milliseconds.
  public struct Span: Sendable {
    public let label: String
    public let start: Double
    public let end: Double
  }

  public let id: String
  public let sound: Sound
  public let text: String
  public let voice: String
  public let split: String
  /// The segments in order, from the beginning to the end: phones and pauses, or digits and pauses,
  /// or one segment for all of it where nobody tells its boundaries.
  public let phones: [Span]
  public let questions: [(prompt: String, answer: String)]

  /// The recording below the package that its sound is made from, or what stands for it in messages
  /// where there are several.
  public var file: String {
    switch sound {
    case .recording(let file, _, _), .mixture(let file, _): file
    case .digits(let string): string.parts.map(\.recording).joined(separator: "+")
    }
  }

  /// Whether its sound needs recordings that are no part of the package.
  public var isHuman: Bool {
    if case .digits = sound { return true }
    return false
  }

  /// The samples at 16 kHz.
  ///
  /// - Parameters:
  ///   - root: the folder of the package.
  ///   - recordings: human recordings, which only strings of digits need.
  /// - Throws: an error that names the file, where one is missing or unusable.
  public func waveform(root: String, recordings: HumanRecordings? = nil) throws -> Waveform {
    func committed(_ file: String) throws -> Waveform {
      let wave = try Waveform(contentsOf: "\(root)/\(file)")
      try wave.checkAudible("\(root)/\(file)")
      return wave
    }
    switch sound {
    case .recording(let file, let lead, let tail):
      func silence(_ count: Int) -> [Float] { [Float](repeating: 0, count: count) }
      return Waveform(samples: try silence(lead) + committed(file).samples + silence(tail))
    case .mixture(let file, let noise):
      let clean = try committed(file).samples
      return Waveform(
        pcm: try noise.mixed(clean, name: "\(root)/\(file)") { try committed($0).samples })
    case .digits(let string):
      guard let recordings = recordings ?? HumanRecordings.found(root: root) else {
        throw CheckpointError("\(id): \(HumanRecordings.absent); run `make data`")
      }
      return Waveform(pcm: try recordings.samples(of: string))
    }
  }
}

extension Waveform {
  /// 16-bit samples at 16 kHz.
  init(pcm: [Int16]) { self.init(samples: pcm.map { Float($0) / 32768 }) }
}

// ## Reading

extension Utterance {
  /// - Parameters:
  ///   - id: its name, for messages.
  ///   - rate: samples per second of the boundaries.
  init(_ json: JSON, id: String, rate: Double) throws {
    self.id = id
    sound = try Sound(json)
    text = try json.string("text")
    voice = try json.string("voice")
    split = try json.string("split")
    phones = try json.array("phones").map { row in
      guard let cells = row.elements, cells.count >= 3, let label = cells[0].string,
        let start = cells[1].double, let end = cells[2].double, start >= 0, start < end
      else { throw JSONError("\"phones\" should hold [phone, start, end] in samples") }
      return Span(label: label, start: 1000 * start / rate, end: 1000 * end / rate)
    }
    questions = try json.array("questions").map { row in
      guard let cells = row.elements, cells.count == 2, let prompt = cells[0].string,
        let answer = cells[1].string
      else { throw JSONError("\"questions\" should hold [prompt, answer]") }
      return (prompt, answer)
    }
  }

  /// A clean utterance in noise: everything but the sound stays.
  init(_ json: JSON, id: String, of utterances: [String: Utterance]) throws {
    let name = try json.string("clean")
    guard let clean = utterances[name] else { throw JSONError("no utterance \(quoted(name))") }
    guard case .recording(let file, 0, 0) = clean.sound else {
      throw JSONError("\(quoted(name)) is no plain recording to mix noise into")
    }
    self.id = id
    sound = .mixture(file: file, try NoiseMix(json))
    (text, voice, split) = (clean.text, clean.voice, clean.split)
    (phones, questions) = (clean.phones, clean.questions)
  }
}

extension Sound {
  fileprivate init(_ json: JSON) throws {
    if let digits = json["digits"] {
      self = .digits(try DigitString(digits))
      return
    }
    var padding = [0, 0]
    if json["padding"] != nil {
      padding = try json.array("padding").compactMap(\.int)
      guard padding.count == 2, padding.allSatisfy({ (0...48_000).contains($0) }) else {
        throw JSONError("\"padding\" should be [samples before, samples behind]")
      }
    }
    self = .recording(file: try json.string("file"), lead: padding[0], tail: padding[1])
  }
}

extension NoiseMix {
  fileprivate init(_ json: JSON) throws {
    let name = try json.string("noise")
    guard let kind = Kind(rawValue: name) else {
      let kinds = Kind.allCases.map(\.rawValue).joined(separator: ", ")
      throw JSONError("no noise \(quoted(name)); there are \(kinds)")
    }
    let talkers = try json.array("talkers").map { talker in
      guard let file = talker.string else { throw JSONError("\"talkers\" should hold files") }
      return file
    }
    guard
      kind == .talker ? talkers.count == 1 : kind == .babble ? !talkers.isEmpty : talkers.isEmpty
    else { throw JSONError("\(talkers.count) talkers do not make \(name) noise") }
    self.init(
      kind: kind, ratio: try json.double("ratio"), seed: try json.string("seed"), talkers: talkers)
  }
}

extension DigitString {
  fileprivate init(_ json: JSON) throws {
    let parts = try json.array("parts").map { row -> Part in
      guard let cells = row.elements, cells.count == 3, let recording = cells[0].string,
        let gain = cells[1].double, gain > 0, let length = cells[2].int, length > 0,
        !recording.contains("/")
      else { throw JSONError("\"parts\" should hold [recording, gain, samples]") }
      return Part(recording: recording, gain: gain, length: length)
    }
    let (lead, gap) = (try json.int("lead"), try json.int("gap"))
    guard lead >= 0, gap >= 0, !parts.isEmpty else {
      throw JSONError("\"digits\" needs parts, and silences of 0 samples or more")
    }
    self.init(lead: lead, gap: gap, parts: parts)
  }
}
