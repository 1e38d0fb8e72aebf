// Human minimal pairs: strings of three digits from test recordings, one digit replaced, or the same
// string by another speaker.

import Corpus
import Foundation
import Interventions
import JSON
import Notebook
import Speech
import Tensor

struct HumanPlan {
  static let name = "human"
  private let recordings: HumanRecordings

  init(_ recordings: HumanRecordings) { self.recordings = recordings }

  /// One string that a person says.
  struct Line {
    let id: String
    let speaker: String
    let sentence: Sentence
    /// A recording for each digit.
    let names: [String]
  }

  /// Two strings whose digits take the same places, and the digit that is asked for.
  struct Pair {
    let factor: String
    let clean: Line
    let corrupt: Line
    let place: Int
    let answers: (String, String)
  }

  // ## Which strings

  /// Six for each speaker and place: one digit gives way to another of the same speaker.
  static func replacements() -> [Pair] {
    var taken: Set<String> = []
    return DigitManifest.speakers.flatMap { speaker in
      (0..<3).flatMap { place in
        (0..<6).map { i in
          var draws = Draws("human/\(speaker)/\(place)/\(i)")
          while true {
            let clean = Sentence(.e, draws: &draws)
            let other = draws.pick(Lexicon.digits.filter { !clean.words.contains($0) })
            let corrupt = clean.replacing(place, by: other)
            // Training keeps away from held-out strings.
            guard clean.isHeldOut, corrupt.isHeldOut,
              taken.insert("\(speaker) \(clean.text) \(corrupt.text)").inserted
            else { continue }
            let names = names(clean, speaker, &draws)
            var others = names
            others[place] = recording(other, speaker, &draws)
            let id = "\(speaker)-\(clean.words.joined(separator: "-"))"
            return Pair(
              factor: "digit",
              clean: Line(
                id: "\(id)-for-\(other)-\(place)", speaker: speaker, sentence: clean, names: names),
              corrupt: Line(
                id: "\(id)-with-\(other)-\(place)", speaker: speaker, sentence: corrupt,
                names: others),
              place: place, answers: (clean.words[place], other))
          }
        }
      }
    }
  }

  /// Six for each two speakers: both say the same string.
  static func swaps() -> [Pair] {
    let speakers = DigitManifest.speakers
    return speakers.indices.flatMap { a in
      speakers.indices.dropFirst(a + 1).flatMap { b in
        (0..<6).map { i in
          var draws = Draws("human/\(speakers[a])/\(speakers[b])/\(i)")
          var sentence = Sentence(.e, draws: &draws)
          while !sentence.isHeldOut { sentence = Sentence(.e, draws: &draws) }
          let text = sentence.words.joined(separator: "-")
          let place = i % 3
          func line(_ own: String, _ other: String) -> Line {
            Line(
              id: "\(own)-\(text)-as-\(other)-\(i)", speaker: own, sentence: sentence,
              names: names(sentence, own, &draws))
          }
          let foil = draws.pick(Lexicon.digits.filter { !sentence.words.contains($0) })
          return Pair(
            factor: "speaker", clean: line(speakers[a], speakers[b]),
            corrupt: line(speakers[b], speakers[a]), place: place,
            answers: (sentence.words[place], foil))
        }
      }
    }
  }

  private static func names(
    _ sentence: Sentence, _ speaker: String, _ draws: inout Draws
  ) -> [String] {
    sentence.words.map { recording($0, speaker, &draws) }
  }

  private static func recording(
    _ digit: String, _ speaker: String, _ draws: inout Draws
  ) -> String {
    let take = Int(draws.unit() * Double(DigitManifest.testTakes))
    return "\(Lexicon.digits.firstIndex(of: digit)!)_\(speaker)_\(take)"
  }

  // ## The manifest

  /// A line with its sound.
  private struct Member {
    let line: Line
    let string: DigitString
    let samples: [Int16]

    var segments: [(label: String, start: Int, end: Int)] {
      var all: [(String, Int, Int)] = []
      var at = 0
      for (word, span) in zip(line.sentence.words, string.spans) {
        all += [("pau", at, span.lowerBound), (word, span.lowerBound, span.upperBound)]
        at = span.upperBound
      }
      return all + [("pau", at, samples.count)]
    }
    var words: [(label: String, start: Int, end: Int)] { segments.filter { $0.label != "pau" } }
  }

  func json() throws -> [String: JSON] {
    let pairs = HumanPlan.replacements() + HumanPlan.swaps()
    let names = Set(pairs.flatMap { $0.clean.names + $0.corrupt.names }).sorted()
    let clips = Dictionary(
      uniqueKeysWithValues: zip(
        names, try mapInParallel(names.count) { try recordings.clip(names[$0]) }))
    let members = try pairs.map { pair in
      (
        try member(pair.clean, beside: pair.corrupt, clips),
        try member(pair.corrupt, beside: pair.clean, clips)
      )
    }
    for member in members.flatMap({ [$0.0, $0.1] }) where member.samples.count > Suite.window {
      throw CorpusError(
        "\(member.line.id): \(member.samples.count) samples, longer than the model's window")
    }
    let purities = try purities(
      zip(pairs, members).map { pair, members in
        PurityInput(
          clean: members.0.samples, corrupt: members.1.samples,
          spans: pair.factor == "digit" ? [members.0.string.spans[pair.place]] : nil,
          ends: (members.0.segments.map(\.end), members.1.segments.map(\.end)))
      })
    let voices = DigitManifest.speakers.map { speaker -> (String, JSON) in
      (speaker, ["engine": "human", "splits": ["test"], "license": .string(HumanPlan.licence)])
    }
    var json = SuiteManifest.header(
      name: "human-digit-pairs", description: HumanPlan.description, factor: "digit",
      audio: "", voices: Dictionary(uniqueKeysWithValues: voices))
    json["distribution"] = nil
    json["isBasedOn"] = "data-manifests/fsdd.json"
    json["license"] = .string(HumanPlan.licence)
    json["utterances"] = .array(members.flatMap { [utterance($0.0), utterance($0.1)] })
    json["pairs"] = .array(
      pairs.indices.map { pair(pairs[$0], members[$0], purities[$0]) })
    return json
  }

  private static let licence = "https://creativecommons.org/licenses/by-sa/4.0/"
  private static let description =
    "Strings of three digits put together from the test recordings (0 to 4) that fsdd.json lists, "
    + "with silence between them: one digit replaced by another of the same speaker, or the same "
    + "string by another speaker. A digit's place is as long as the longer of the two members' "
    + "recordings, so both have the same boundaries. The strings are not stored: parts are "
    + "[recording, gain, samples of its place], and samplesDigest is the SHA-256 of the 16-bit "
    + "little-endian samples at 16 kHz. All of it is test; speakers are heard in training in other "
    + "recordings. No string is one that training says."

  private func member(_ line: Line, beside other: Line, _ clips: [String: DigitClip]) throws
    -> Member
  {
    let parts = zip(line.names, other.names).map { own, other in
      DigitString.Part(
        recording: own, gain: clips[own]!.gain,
        length: max(clips[own]!.samples.count, clips[other]!.samples.count))
    }
    let string = DigitString(parts: parts)
    return Member(line: line, string: string, samples: try string.samples { clips[$0]! })
  }

  private func utterance(_ member: Member) -> JSON {
    let manner = Manner(speaker: member.line.speaker)
    let json: [String: JSON] = [
      "id": .string(member.line.id), "text": .string(member.line.sentence.text),
      "voice": .string(member.line.speaker), "engine": "human",
      "engineVersion": "Free Spoken Digit Dataset 1.0.10", "split": "test",
      "license": .string(HumanPlan.licence), "samples": .integer(member.samples.count),
      "samplesDigest": .string("\(Digest(ofSamples: member.samples))"),
      "digits": [
        "lead": .integer(member.string.lead), "gap": .integer(member.string.gap),
        "parts": .array(
          member.string.parts.map {
            [.string($0.recording), .number($0.gain), .integer($0.length)]
          }),
      ],
    ]
    return .object(
      json.merging(
        SuiteManifest.boundaries(
          segments: member.segments, words: member.words,
          questions: member.line.sentence.questions + manner.questions)
      ) { $1 })
  }

  private func pair(_ pair: Pair, _ members: (Member, Member), _ purity: Purity) -> JSON {
    let (clean, corrupt) = (pair.clean, pair.corrupt)
    let isDigit = pair.factor == "digit"
    let span = isDigit ? members.0.string.spans[pair.place] : 0..<members.0.samples.count
    let prompts = clean.sentence.questions.filter { $0.kind == .position }
    var json: [String: JSON] = [
      "id": .string(isDigit ? corrupt.id : clean.id), "factor": .string(pair.factor),
      "clean": .string(clean.id), "corrupt": .string(corrupt.id),
      "prompt": .string(prompts[pair.place].prompt),
      "answers": [.string(pair.answers.0), .string(pair.answers.1)], "alignment": "identity",
      "frame": "E", "slot": .string("e-\(["first", "second", "last"][pair.place])"),
      "changedPhone": .integer(2 * pair.place + 1), "changedWord": .integer(pair.place),
      "changedSpan": [.integer(span.lowerBound), .integer(span.upperBound)],
      "voice": .string(clean.speaker), "split": "test",
      "group": .string(
        isDigit
          ? "\(clean.sentence.replacing(pair.place, by: "_").text) | \(clean.speaker)"
          : "\(clean.sentence.text) | \(clean.speaker) \(corrupt.speaker)"),
      "purity": purity.json,
    ]
    if !isDigit {
      json["attribute"] = [
        "prompt": "who is speaking:",
        "answers": [.string(clean.speaker), .string(corrupt.speaker)],
      ]
    }
    return .object(json)
  }
}
