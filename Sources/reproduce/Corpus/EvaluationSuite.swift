// The evaluation suite on disk: FLAC files and the manifest of every boundary.

import Foundation
import JSON
import Notebook
import Speech

struct EvaluationSuite {
  private let repository: Repository

  init(_ repository: Repository) { self.repository = repository }

  /// One utterance of a pair with its place in the suite.
  private struct Member {
    let id: String
    let pair: MinimalPair
    let sentence: Sentence
    var spoken = Spoken(samples: [], ends: nil)

    var file: String {
      "artifacts/evaluation/\(pair.voice)/\(id.dropFirst("\(pair.voice)-".count)).flac"
    }
    var phones: [String] { ["pau"] + words.flatMap(\.phones) + ["pau"] }
    var words: [Word] { sentence.words.map(Lexicon.word) }
  }

  /// Speaks everything and writes it, or says what differs from what is committed.
  func make(write: Bool) throws -> [String] {
    let members = try speak(EvaluationPlan.pairs())
    var differences: [String] = []
    for member in members {
      let file = repository.url(member.file)
      if write {
        try FileManager.default.createDirectory(
          at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
        try member.spoken.wave.write(to: file.path)
      } else if !FileManager.default.fileExists(atPath: file.path) {
        differences.append("\(member.file): missing")
      } else if try Waveform(contentsOf: file.path) != member.spoken.wave {
        differences.append("\(member.file): other samples than the synthesiser gives")
      }
    }
    guard differences.isEmpty else { return differences }
    let manifest = try self.manifest(members)
    if write {
      try repository.write(.object(manifest), manifest: "evaluation.json")
      return []
    }
    let committed = try repository.manifest("evaluation.json")
    for key in ["utterances", "pairs"] {
      let (new, old) = (manifest[key]?.elements ?? [], try committed.array(key))
      if new.count != old.count {
        differences.append("evaluation.json: \(old.count) \(key), not \(new.count)")
      }
      for (a, b) in zip(new, old) where a != b {
        differences.append("evaluation.json: \(key) \(b["id"]?.string ?? "?"): differs")
      }
    }
    return differences
  }

  /// Both members of every pair, clean before corrupt, brought to one level by the same gain.
  private func speak(_ pairs: [MinimalPair]) throws -> [Member] {
    var members = pairs.flatMap { pair in
      [
        Member(id: pair.cleanID, pair: pair, sentence: pair.clean),
        Member(id: pair.corruptID, pair: pair, sentence: pair.corrupt),
      ]
    }
    precondition(Set(members.map(\.id)).count == members.count, "an utterance is listed twice")
    let folder = repository.url("build/evaluation")
    let lists = Voice.timed.map { voice in
      (
        voice,
        members.filter { $0.pair.voice == voice }
          .map { Row(mode: "even", text: $0.sentence.text) }
      )
    }
    try SpeakAll(folder: folder, title: "evaluation").run(lists)
    for voice in Voice.timed {
      let spoken = try VoiceCache(name: "\(voice)", folder: folder).read()
      let places = members.indices.filter { members[$0].pair.voice == voice }
      for (place, spoken) in zip(places, spoken) { members[place].spoken = spoken }
    }
    for clean in stride(from: 0, to: members.count, by: 2) {
      let (a, b) = (members[clean].spoken, members[clean + 1].spoken)
      guard a.ends == b.ends, a.samples.count == b.samples.count, a.samples != b.samples else {
        throw CorpusError("\(members[clean].pair.id): the members are not aligned")
      }
      let gain = min(a.gain, b.peakGain)
      members[clean].spoken = a.scaled(by: gain)
      members[clean + 1].spoken = b.scaled(by: gain)
    }
    return members
  }

  // ## The manifest

  private func manifest(_ members: [Member]) throws -> [String: JSON] {
    let pairs = stride(from: 0, to: members.count, by: 2).map { members[$0].pair }
    let voices = Voice.timed.map { voice in
      let more: [String: JSON] = ["split": .string(voice.split)]
      return ("\(voice)", JSON.object(Repository.provenance(voice).merging(more) { $1 }))
    }
    return [
      "@context": ["@vocab": "https://schema.org/", "cr": "http://mlcommons.org/croissant/"],
      "@type": "Dataset",
      "conformsTo": "http://mlcommons.org/croissant/1.0",
      "name": "spoken-minimal-pairs",
      "description": .string(
        "Pairs of synthetic English sentences that differ in one phone of one noun. Both members "
          + "of a pair have the same boundaries, to the sample, and the same pitch contour."),
      "license": .string(
        "Free to use, copy, modify and redistribute: festival, flite and their voices are under "
          + "BSD-like licences whose notices are in the Debian packages named here."),
      "distribution": [
        [
          "@type": "cr:FileSet", "encodingFormat": "audio/flac",
          "includes": "artifacts/evaluation/*/*.flac",
        ]
      ],
      "sampleRate": 16000,
      "factor": "phoneme",
      "frames": .object(
        Dictionary(uniqueKeysWithValues: Frame.allCases.map { ($0.letter, .string($0.rawValue)) })),
      "columns": [
        "phones": ["phone", "start in samples", "end in samples"],
        "words": [
          "word", "start in samples", "end in samples", "start in ms", "end in ms",
        ],
        "questions": ["prompt", "answer"],
      ],
      "voices": .object(Dictionary(uniqueKeysWithValues: voices)),
      "utterances": .array(try members.map(utterance)),
      "pairs": .array(
        zip(pairs, stride(from: 0, to: members.count, by: 2)).map {
          pair($0, ends: members[$1].spoken.ends ?? [])
        }),
    ]
  }

  private func utterance(_ member: Member) throws -> JSON {
    let ends = member.spoken.ends ?? []
    let starts = [0] + ends.dropLast()
    let bytes = [UInt8](try Data(contentsOf: repository.url(member.file)))
    let phones = member.phones.indices.map { i -> JSON in
      [.string(member.phones[i]), .integer(starts[i]), .integer(ends[i])]
    }
    var at = 1
    let words = member.words.map { word -> JSON in
      let (start, end) = (starts[at], ends[at + word.phones.count - 1])
      at += word.phones.count
      return [
        .string(word.spelling), .integer(start), .integer(end), .number(Double(start) / 16),
        .number(Double(end) / 16),
      ]
    }
    let questions = member.sentence.questions.map { question -> JSON in
      [.string(question.prompt), .string(question.answer)]
    }
    return [
      "id": .string(member.id), "file": .string(member.file),
      "text": .string(member.sentence.text), "voice": .string("\(member.pair.voice)"),
      "engine": .string(member.pair.voice.engine), "split": .string(member.pair.voice.split),
      "samples": .integer(member.spoken.samples.count), "bytes": .integer(bytes.count),
      "sha256": .string("\(Digest(of: bytes))"), "phones": .array(phones), "words": .array(words),
      "questions": .array(questions),
    ]
  }

  private func pair(_ pair: MinimalPair, ends: [Int]) -> JSON {
    let phone = pair.changedPhone
    return [
      "id": .string(pair.id), "factor": "phoneme", "clean": .string(pair.cleanID),
      "corrupt": .string(pair.corruptID), "prompt": .string(pair.prompt),
      "answers": [.string(pair.nouns.clean), .string(pair.nouns.corrupt)],
      "frame": .string(pair.slot.frame.letter), "slot": .string(pair.slot.name),
      "changedPhone": .integer(phone), "changedWord": .integer(pair.slot.place),
      "changedSpan": [.integer(ends[phone - 1]), .integer(ends[phone])],
      "voice": .string("\(pair.voice)"), "split": .string(pair.voice.split),
      "group": .string(pair.group),
    ]
  }
}

extension Spoken {
  /// A factor that leaves every peak below 0.9 of full scale.
  fileprivate var peakGain: Double {
    0.9 * 32768 / max(1, samples.reduce(0.0) { max($0, abs(Double($1))) })
  }
}

extension Spoken {
  /// The samples as other parts of the package read them.
  var wave: Waveform { Waveform(samples: samples.map { Float($0) / 32768 }) }
}
