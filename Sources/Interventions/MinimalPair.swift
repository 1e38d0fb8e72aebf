// The evaluation suite: utterances with their boundaries, and the pairs that differ in one phone.

import JSON
import Speech

/// A recording of the suite and what is known of it.
public struct Utterance: Sendable {
  /// A phone or word with its bounds in milliseconds.
  public struct Span: Sendable {
    public let label: String
    public let start: Double
    public let end: Double
  }

  public let id: String
  /// Path below the package.
  public let file: String
  public let text: String
  public let voice: String
  public let split: String
  public let phones: [Span]
  public let questions: [(prompt: String, answer: String)]
}

/// Two utterances of the same length that differ in one phone, and the question whose answer
/// depends on it.
public struct MinimalPair: Sendable {
  public let id: String
  public let clean: Utterance
  public let corrupt: Utterance
  public let prompt: String
  /// The answers to the clean and to the corrupt member.
  public let answers: (clean: String, corrupt: String)
  /// Index of the changed phone in `phones` of either member.
  public let changedPhone: Int
  /// The place of the word in its frame.
  public let slot: String
  /// The resampling unit: sentence by speaker.
  public let group: String

  public var voice: String { clean.voice }
  public var split: String { clean.split }
  /// Milliseconds from the start of the clip to the changed phone.
  public var onset: Double { clean.phones[changedPhone].start }
}

/// A suite of minimal pairs as its manifest lists it.
public struct PairSuite: Sendable {
  public let utterances: [Utterance]
  public let pairs: [MinimalPair]

  /// Reads a manifest of pairs.
  ///
  /// - Throws: an error that names the manifest and the entry, where one is incomplete, a pair's
  ///   answers do not differ, or its members are not aligned.
  public init(manifest path: String) throws {
    let json = try readJSON(path)
    func at<T>(_ entry: String, _ read: () throws -> T) throws -> T {
      do { return try read() } catch {
        throw JSONError("\(path): \(entry): \(error)")
      }
    }
    let rate = try at("header") { try json.double("sampleRate") }
    guard rate > 0 else { throw JSONError("\(path): header: \"sampleRate\" is \(rate)") }
    var byID: [String: Utterance] = [:]
    utterances = try at("header") { try json.array("utterances") }.enumerated().map { i, entry in
      let id = entry["id"]?.string ?? "utterance \(i)"
      let utterance = try at(id) { try Utterance(entry, id: id, rate: rate) }
      guard byID.updateValue(utterance, forKey: id) == nil else {
        throw JSONError("\(path): two utterances are called \"\(id)\"; name them apart")
      }
      return utterance
    }
    pairs = try at("header") { try json.array("pairs") }.enumerated().map { i, entry in
      let id = entry["id"]?.string ?? "pair \(i)"
      return try at(id) { try MinimalPair(entry, id: id, byID) }
    }
  }
}

extension Utterance {
  fileprivate init(_ json: JSON, id: String, rate: Double) throws {
    self.id = id
    file = try json.string("file")
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
}

extension MinimalPair {
  fileprivate init(_ json: JSON, id: String, _ utterances: [String: Utterance]) throws {
    func member(_ key: String) throws -> Utterance {
      let name = try json.string(key)
      guard let utterance = utterances[name] else { throw JSONError("no utterance \"\(name)\"") }
      return utterance
    }
    self.id = id
    clean = try member("clean")
    corrupt = try member("corrupt")
    guard clean.id != corrupt.id else { throw JSONError("both members are \"\(clean.id)\"") }
    prompt = try json.string("prompt")
    let texts = try json.array("answers")
    guard texts.count == 2, let first = texts[0].string, let second = texts[1].string,
      first != second
    else {
      throw JSONError("should have two answers that differ, not \(JSON.array(texts).compactText)")
    }
    answers = (first, second)
    changedPhone = try json.int("changedPhone")
    slot = try json.string("slot")
    group = try json.string("group")
    guard clean.phones.count == corrupt.phones.count,
      zip(clean.phones, corrupt.phones).allSatisfy({ $0.start == $1.start && $0.end == $1.end }),
      clean.phones.indices.contains(changedPhone)
    else { throw JSONError("the members are not aligned phone by phone") }
  }
}

extension SpeechModel {
  /// The clean and the corrupt member as questions with the same two answers.
  ///
  /// - Parameter root: the folder below which the recordings lie
  /// - Throws: where a recording is unusable, the members differ in length, or the answers begin
  ///   with the same token.
  public func questions(for pair: MinimalPair, root: String) throws -> (
    clean: Question, corrupt: Question
  ) {
    let (answer, foil) = (
      try textTokens(pair.answers.clean).first, try textTokens(pair.answers.corrupt).first
    )
    guard let answer, let foil, answer != foil else {
      throw CheckpointError(
        "pair \(pair.id): the answers \"\(pair.answers.clean)\" and \"\(pair.answers.corrupt)\" "
          + "begin with the same token; their logits cannot differ")
    }
    func question(_ utterance: Utterance) throws -> Question {
      let path = "\(root)/\(utterance.file)"
      let wave = try Waveform(contentsOf: path)
      try wave.checkAudible(path)
      let clip: Clip
      do { clip = try self.clip(wave) } catch { throw CheckpointError("\(path): \(error)") }
      return Question(
        clip: clip, tokens: try tokens(for: pair.prompt, clip: clip), answer: answer, foil: foil)
    }
    let (clean, corrupt) = (try question(pair.clean), try question(pair.corrupt))
    guard clean.tokens.count == corrupt.tokens.count,
      clean.clip.validFrames == corrupt.clip.validFrames
    else { throw CheckpointError("pair \(pair.id): the members differ in length") }
    return (clean, corrupt)
  }
}

extension PairSuite {
  /// Another pair of the same voice and slot that shares no answer: the next one in the suite.
  ///
  /// - Throws: where there is none; the pair itself would be no control.
  public func unrelated(to pair: MinimalPair) throws -> MinimalPair {
    let alike = pairs.filter { $0.voice == pair.voice && $0.slot == pair.slot }
    let own = alike.firstIndex { $0.id == pair.id } ?? 0
    let answers = [pair.answers.clean, pair.answers.corrupt]
    let candidates = (1..<max(alike.count, 2)).map { alike[(own + $0) % alike.count] }
    let other = candidates.first {
      !answers.contains($0.answers.clean) && !answers.contains($0.answers.corrupt)
    }
    guard let other else {
      throw CheckpointError(
        "pair \(pair.id): the suite has no other pair of voice \(pair.voice) and slot "
          + "\(pair.slot) without its answers, so there is no unrelated item; add one")
    }
    return other
  }
}
