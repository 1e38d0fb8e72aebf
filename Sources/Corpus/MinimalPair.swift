// Minimal pairs: two utterances that differ in one factor, as a manifest lists them.

import JSON
import Speech

/// What differs between the members of a pair.
public enum Factor: String, Sendable, CaseIterable {
  /// One phone of one word.
  case phoneme
  /// The spelling of one word, and nothing that can be heard: a negative control.
  case homophone
  /// Who speaks.
  case speaker
  /// Pitch, rate, the place of emphasis, or asking against telling.
  case prosody
  /// Noise or a competing talker.
  case noise
  /// One digit of a string of human recordings.
  case digit
  /// The text and the speaker, with the two runs in which only one of them differs at hand.
  case factorial

  /// Whether the members say different words, so that their right answers differ.
  public var changesText: Bool { self == .phoneme || self == .digit || self == .factorial }
}

/// How a moment of one member is found in the other.
public enum Correspondence: String, Sendable, CaseIterable {
  /// The same boundaries, to the sample.
  case identity
  /// The same phones, of other lengths: linear within each.
  case phones
  /// Boundaries unknown: linear over the whole.
  case linear
}

/// Two utterances that differ in one factor, and a question about a word of theirs.
public struct MinimalPair: Sendable {
  public let id: String
  public let factor: Factor
  public let clean: Utterance
  public let corrupt: Utterance
  public private(set) var prompt: String
  /// The answers to the clean and to the corrupt member. Where the factor leaves the text alone the
  /// first is right for both, and the second is its foil: the word that differs in one phone.
  public let answers: (clean: String, corrupt: String)
  /// A question about the voice that the factor changes, with the answers of the two members.
  public private(set) var attribute: (prompt: String, clean: String, corrupt: String)?
  /// Index in `phones` of either member of the phone that tells the answers apart.
  public let changedPhone: Int
  public let alignment: Correspondence
  /// The place of the word in its frame.
  public let slot: String
  /// The resampling unit: sentence by speaker.
  public let group: String
  /// In a factorial pair: the corrupt member's speaker with the clean member's text, and the clean
  /// member's speaker with the corrupt member's text.
  public let crossed: (text: Utterance, speaker: Utterance)?

  public var voice: String { clean.voice }
  public var split: String { clean.split }
  /// Milliseconds from the start of the clip to the changed phone.
  public var onset: Double { clean.phones[changedPhone].start }
}

extension MinimalPair {
  /// The same recordings and answers, asked in other words.
  ///
  /// - Parameter voice: the question about the voice; left as it is where the pair has none
  public func asked(_ prompt: String, voice: String) -> MinimalPair {
    var pair = self
    pair.prompt = prompt
    pair.attribute = attribute.map { (voice, $0.clean, $0.corrupt) }
    return pair
  }
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
    var listed: [Utterance] = []
    var byID: [String: Utterance] = [:]
    func list(_ key: String, _ read: (JSON, String) throws -> Utterance) throws {
      for (i, entry) in try at("header", { try json.array(key) }).enumerated() {
        let id = entry["id"]?.string ?? "\(key.dropLast()) \(i)"
        let utterance = try at(id) { try read(entry, id) }
        guard byID.updateValue(utterance, forKey: id) == nil else {
          throw JSONError("\(path): two utterances are called \(quoted(id)); name them apart")
        }
        listed.append(utterance)
      }
    }
    try list("utterances") { try Utterance($0, id: $1, rate: rate) }
    if json["mixtures"] != nil { try list("mixtures") { try Utterance($0, id: $1, of: byID) } }
    utterances = listed
    pairs = try at("header") { try json.array("pairs") }.enumerated().map { i, entry in
      let id = entry["id"]?.string ?? "pair \(i)"
      return try at(id) { try MinimalPair(entry, id: id, byID) }
    }
  }
}

extension MinimalPair {
  fileprivate init(_ json: JSON, id: String, _ utterances: [String: Utterance]) throws {
    func member(_ key: String) throws -> Utterance {
      let name = try json.string(key)
      guard let utterance = utterances[name] else {
        throw JSONError("no utterance \(quoted(name))")
      }
      return utterance
    }
    self.id = id
    factor = try json["factor"].map { _ in try named(json, "factor") } ?? .phoneme
    alignment = try json["alignment"].map { _ in try named(json, "alignment") } ?? .identity
    clean = try member("clean")
    corrupt = try member("corrupt")
    guard clean.id != corrupt.id else { throw JSONError("both members are \(quoted(clean.id))") }
    prompt = try json.string("prompt")
    let texts = try json.array("answers")
    guard texts.count == 2, let first = texts[0].string, let second = texts[1].string,
      first != second
    else {
      throw JSONError("should have two answers that differ, not \(JSON.array(texts).compactText)")
    }
    answers = (first, second)
    attribute = try json["attribute"].map { try MinimalPair.attribute($0) }
    crossed = factor == .factorial ? (try member("crossedText"), try member("crossedSpeaker")) : nil
    changedPhone = try json.int("changedPhone")
    slot = try json.string("slot")
    group = try json.string("group")
    let others = crossed.map { [$0.text, $0.speaker] } ?? []
    guard ([corrupt] + others).allSatisfy({ alignment.holds(between: clean, and: $0) }),
      clean.phones.indices.contains(changedPhone)
    else { throw JSONError("the members are not aligned phone by phone") }
  }

  private static func attribute(_ json: JSON) throws -> (
    prompt: String, clean: String, corrupt: String
  ) {
    let answers = try json.array("answers").compactMap(\.string)
    guard answers.count == 2, answers[0] != answers[1] else {
      throw JSONError("\"attribute\" should have two answers that differ")
    }
    return (try json.string("prompt"), answers[0], answers[1])
  }
}

/// The value of an enumeration that a field names; an error that lists them.
private func named<T: RawRepresentable & CaseIterable>(_ json: JSON, _ key: String) throws -> T
where T.RawValue == String {
  let name = try json.string(key)
  guard let value = T(rawValue: name) else {
    let all = T.allCases.map(\.rawValue).joined(separator: ", ")
    throw JSONError("\"\(key)\" is \(quoted(name)); there are \(all)")
  }
  return value
}

extension Correspondence {
  fileprivate func holds(between a: Utterance, and b: Utterance) -> Bool {
    let pairs = zip(a.phones, b.phones)
    guard a.phones.count == b.phones.count else { return self == .linear }
    switch self {
    case .identity: return pairs.allSatisfy { $0.start == $1.start && $0.end == $1.end }
    case .phones: return pairs.allSatisfy { $0.label == $1.label }
    case .linear: return true
    }
  }
}

extension PairSuite {
  /// The suite with its pairs changed, without those of which nothing is left.
  public func changing(_ change: (MinimalPair) throws -> MinimalPair?) rethrows -> PairSuite {
    PairSuite(utterances: utterances, pairs: try pairs.compactMap(change))
  }

  private init(utterances: [Utterance], pairs: [MinimalPair]) {
    (self.utterances, self.pairs) = (utterances, pairs)
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
