// `reproduce sounds`: the sounds that are not speech, made again and compared with their manifest.

import ArgumentParser
import Corpus
import Foundation
import Interventions
import JSON
import Notebook
import Tensor

struct Sounds: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "sounds",
    abstract: "Makes the sounds that are not speech and compares them with their manifest.",
    discussion: """
      Sounds are not stored: each is a function of what data-manifests/nonspeech.json says of it. \
      Ends with status 1 where one is not as listed.
      """)

  @Flag(help: "Write the manifest instead of comparing with it.") var write = false
  @Option(help: "A folder that they are written to as FLAC, too, for other programs to hear.")
  var out: String?

  func validate() throws {
    if write, out != nil { throw ValidationError("--write takes no --out; compare them first") }
  }

  func run() throws {
    let repository = try Repository()
    if write {
      try repository.write(Sounds.manifest(), manifest: Sounds.file)
      try repository.writeSums()
      print("written       data-manifests/\(Sounds.file)")
      return
    }
    let path = "data-manifests/\(Sounds.file)"
    let listed = try NonSpeechSet(manifest: repository.url(path).path)
    let faults = try listed.faults(path)
    for fault in faults.prefix(20) { print(fault) }
    if faults.count > 20 { print("... and \(faults.count - 20) more") }
    guard faults.isEmpty else {
      throw CorpusError("the sounds are not what their manifest says; see above")
    }
    for split in ["discovery", "validation", "test"] {
      let own = listed.sounds.filter { $0.kind.split == split }
      let kinds = NonSpeech.Kind.allCases.filter { $0.split == split }.map(\.rawValue)
      print("\(split): \(own.count) sounds, \(kinds.joined(separator: ", "))")
    }
    print("same samples  \(path)")
    guard let out else { return }
    try FileManager.default.createDirectory(atPath: out, withIntermediateDirectories: true)
    _ = try mapInParallel(listed.sounds.count) { i in
      let sound = listed.sounds[i]
      try sound.verified(listed.digests[i]).write(to: "\(out)/\(sound.id).flac")
    }
    print("\(listed.sounds.count) sounds in \(out)")
  }

  static let file = "nonspeech.json"

  /// The planned set with the digests of its samples.
  static func manifest() throws -> JSON {
    let sounds = NonSpeech.planned
    let digests = try mapInParallel(sounds.count) { Digest(ofSamples: sounds[$0].samples) }
    return [
      "@context": ["@vocab": "https://schema.org/", "cr": "http://mlcommons.org/croissant/"],
      "@type": "Dataset",
      "name": "sounds-that-are-not-speech",
      "description":
        """
      Noise, hum, clicks, tones, music, sounds in reverberation and near silence, of 1 to 30 s. They are \
      not stored: each is a function of its kind, length, peak and seed (NonSpeech in Sources/Corpus), \
      and samplesDigest is the SHA-256 of its 16-bit little-endian samples. Splits are of kinds: no kind \
      is in two of them.
      """,
      "license": "MIT",
      "sampleRate": 16000,
      "sounds": .array(
        zip(sounds, digests).map { sound, digest in
          [
            "id": .string(sound.id), "family": .string(sound.kind.family.rawValue),
            "kind": .string(sound.kind.rawValue), "split": .string(sound.kind.split),
            "seconds": .number(sound.seconds), "peak": .integer(sound.peak),
            "seed": .string(sound.seed), "samplesDigest": .string("\(digest)"),
          ]
        }),
    ]
  }
}

extension NonSpeechSet {
  /// Sounds whose samples are not those that the manifest lists.
  func faults(_ path: String) throws -> [String] {
    try mapInParallel(sounds.count) { i -> String? in
      let digest = "\(Digest(ofSamples: sounds[i].samples))"
      return digest == digests[i]
        ? nil
        : "\(path): \(sounds[i].id): samples have the SHA-256 \(digest), not \(digests[i])"
    }.compactMap { $0 }
  }
}
