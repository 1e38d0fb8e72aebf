// The manifest of a set: everything known of each utterance and pair, in Croissant's vocabulary.

import Corpus
import Foundation
import Interventions
import JSON
import Notebook
import Speech

/// An utterance with its sound, as manifests describe it.
struct Member {
  let line: Line
  let spoken: Spoken
  /// Silence before and behind the recording, in samples.
  var padding = 0

  /// The samples with their padding.
  var samples: [Int16] {
    let silence = [Int16](repeating: 0, count: padding)
    return silence + spoken.samples + silence
  }

  /// Segments with their bounds in samples, padding included: phones, or all of it in one where the
  /// engine tells no boundaries.
  var segments: [(label: String, start: Int, end: Int)] {
    guard let ends = spoken.ends else { return [("speech", 0, samples.count)] }
    let moved = ends.dropLast().map { $0 + padding } + [samples.count]
    return zip(line.phones, zip([0] + moved, moved)).map { ($0, $1.0, $1.1) }
  }

  /// Words with their bounds in samples; none where the engine tells none.
  var words: [(label: String, start: Int, end: Int)] {
    guard spoken.ends != nil else { return [] }
    var at = 1
    return line.words.map { word in
      defer { at += word.phones.count }
      return (word.spelling, segments[at].start, segments[at + word.phones.count - 1].end)
    }
  }
}

struct SuiteManifest {
  let repository: Repository

  static func header(
    name: String, description: String, factor: String, audio: String, voices: [String: JSON]
  ) -> [String: JSON] {
    [
      "@context": ["@vocab": "https://schema.org/", "cr": "http://mlcommons.org/croissant/"],
      "@type": "Dataset",
      "conformsTo": "http://mlcommons.org/croissant/1.0",
      "name": .string(name), "description": .string(description), "factor": .string(factor),
      "distribution": [
        ["@type": "cr:FileSet", "encodingFormat": "audio/flac", "includes": .string(audio)]
      ],
      "sampleRate": 16000,
      "frames": .object(
        Dictionary(uniqueKeysWithValues: Frame.allCases.map { ($0.letter, .string($0.rawValue)) })),
      "columns": [
        "phones": ["phone", "start in samples", "end in samples"],
        "words": ["word", "start in samples", "end in samples", "start in ms", "end in ms"],
        "questions": ["prompt", "answer"],
        "purity": "root mean square difference of log-mel spectra inside and outside the span, dB",
      ],
      "voices": .object(voices),
    ]
  }

  static let licence =
    "Free to use, copy, modify and redistribute; each voice's own terms stand under `voices`."

  /// What is known of the voices of some lines.
  static func voices(_ lines: [Line]) -> [String: JSON] {
    Dictionary(grouping: lines, by: \.speaker).mapValues { lines in
      JSON.object(
        Repository.provenance(lines[0].voice).merging([
          "splits": .array(Set(lines.map(\.split)).sorted().map { .string($0) }),
          "license": .string(lines[0].voice.licence),
        ]) { $1 })
    }
  }

  /// A set of recordings and pairs of them.
  func json(_ plan: SetPlan, _ members: [String: Member]) throws -> [String: JSON] {
    let lines = plan.uniqueLines
    var json = SuiteManifest.header(
      name: plan.title, description: plan.description, factor: plan.factor,
      audio: plan.name == "evaluation"
        ? "artifacts/evaluation/*/*.flac" : "artifacts/{evaluation,suite}/*/*.flac",
      voices: SuiteManifest.voices(lines))
    json["license"] = .string(SuiteManifest.licence)
    json["utterances"] = .array(try lines.map { try utterance(members[$0.id]!) })
    let purities = try mapPurities(plan, members)
    json["pairs"] = .array(
      zip(plan.pairs, purities).map { SuiteManifest.pair($0, members, $1) })
    return json
  }

  func utterance(_ member: Member) throws -> JSON {
    let line = member.line
    guard let data = FileManager.default.contents(atPath: repository.url(line.file).path) else {
      throw CorpusError("\(line.file): missing, which \(line.id) needs; restore it from git")
    }
    let bytes = [UInt8](data)
    var json: [String: JSON] = [
      "id": .string(line.id), "file": .string(line.file), "text": .string(line.sentence.text),
      "voice": .string(line.speaker), "engine": .string(line.voice.engine),
      "engineVersion": .string(
        line.voice.packages.map { "\($0) \(Versions.installed[$0] ?? "?")" }
          .joined(separator: ", ")),
      "delivery": [
        "rate": .number(line.delivery.rate), "pitch": .number(line.delivery.pitch),
        "asking": .bool(line.delivery.isAsking),
        "emphasis": line.delivery.emphasis.map { .integer($0) } ?? .null,
      ],
      "split": .string(line.split), "license": .string(line.voice.licence),
      "samples": .integer(member.samples.count), "bytes": .integer(bytes.count),
      "sha256": .string("\(Digest(of: bytes))"),
    ]
    if member.padding > 0 {
      json["padding"] = [.integer(member.padding), .integer(member.padding)]
    }
    json.merge(
      SuiteManifest.boundaries(
        segments: member.segments, words: member.words,
        questions: line.sentence.questions + line.manner.questions)
    ) { $1 }
    return .object(json)
  }

  static func boundaries(
    segments: [(label: String, start: Int, end: Int)],
    words: [(label: String, start: Int, end: Int)], questions: [Question]
  ) -> [String: JSON] {
    [
      "phones": .array(
        segments.map { [.string($0.label), .integer($0.start), .integer($0.end)] }),
      "words": .array(
        words.map {
          [
            .string($0.label), .integer($0.start), .integer($0.end),
            .number(Double($0.start) / 16), .number(Double($0.end) / 16),
          ]
        }),
      "questions": .array(questions.map { [.string($0.prompt), .string($0.answer)] }),
    ]
  }

  // ## Pairs

  static func pair(
    _ pair: PairPlan, _ members: [String: Member], _ purity: Purity
  ) -> JSON {
    let (clean, corrupt) = (members[pair.clean]!, members[pair.corrupt]!)
    let (span, other) = (pair.span.hull(in: clean), pair.span.hull(in: corrupt))
    var json: [String: JSON] = [
      "id": .string(pair.id), "factor": .string(pair.factor), "clean": .string(pair.clean),
      "corrupt": .string(pair.corrupt), "prompt": .string(pair.prompt),
      "answers": [.string(pair.answers.0), .string(pair.answers.1)],
      "alignment": .string(pair.alignment), "frame": .string(pair.slot.frame.letter),
      "slot": .string(pair.slot.name), "changedPhone": .integer(pair.phone),
      "changedWord": .integer(pair.slot.place),
      "changedSpan": [.integer(span.lowerBound), .integer(span.upperBound)],
      "voice": .string(pair.voice), "split": .string(pair.split), "group": .string(pair.group),
      "purity": purity.json,
    ]
    if let kind = pair.kind { json["kind"] = .string(kind) }
    if other != span {
      json["changedSpanCorrupt"] = [.integer(other.lowerBound), .integer(other.upperBound)]
    }
    if let crossed = pair.crossed {
      json["crossedText"] = .string(crossed.text)
      json["crossedSpeaker"] = .string(crossed.speaker)
    }
    if let (prompt, answers) = pair.attribute {
      json["attribute"] = [
        "prompt": .string(prompt), "answers": [.string(answers.0), .string(answers.1)],
      ]
    }
    return .object(json)
  }

  private func mapPurities(_ plan: SetPlan, _ members: [String: Member]) throws -> [Purity] {
    try purities(
      plan.pairs.map { pair in
        let (clean, corrupt) = (members[pair.clean]!, members[pair.corrupt]!)
        return PurityInput(
          clean: clean.samples, corrupt: corrupt.samples,
          spans: pair.span == .everything ? nil : pair.span.samples(of: clean),
          ends: (clean.segments.map(\.end), corrupt.segments.map(\.end)))
      })
  }
}

extension SetPlan {
  /// The lines, each once, in order.
  var uniqueLines: [Line] {
    var seen: Set<String> = []
    return lines.filter { seen.insert($0.id).inserted }
  }
}

extension PairPlan.Span {
  /// The changed stretches in a member's samples, padding included.
  func samples(of member: Member) -> [Range<Int>] {
    switch self {
    case .everything: [0..<member.samples.count]
    case .phone(let i): [member.segments[i].start..<member.segments[i].end]
    case .words(let places): places.map { member.words[$0].start..<member.words[$0].end }
    }
  }

  /// From the beginning of the first stretch to the end of the last.
  func hull(in member: Member) -> Range<Int> {
    let all = samples(of: member)
    return all.first!.lowerBound..<all.last!.upperBound
  }
}

/// The versions of the synthesisers' packages, asked for once.
enum Versions {
  static let installed = Dictionary(
    uniqueKeysWithValues: Set(Voice.allCases.flatMap(\.packages)).map {
      ($0, Subprocess.version(of: $0))
    })
}

extension Voice {
  /// The terms under which its speech may be passed on.
  var licence: String {
    switch self {
    case .kal, .ked: "BSD-like, /usr/share/doc/\(packages[1])/copyright"
    case .awb, .rms, .slt: "BSD-like, /usr/share/doc/libflite1/copyright"
    case .espeak: "output of a program under GPL-3, which it does not cover; free to use"
    }
  }
}
