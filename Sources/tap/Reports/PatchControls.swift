// The controls of one patch of one pair of recordings: moves as long as the real one that do not come
// from the source at this place, and the controls of time (`paper/definitions.md`, D25 to
// D31).

import Corpus
import Interventions
import Speech
import Tensor

/// Controls, as they are defined for the recordings that were given.
struct PatchControls {
  struct Entry {
    let name: String
    /// What the control should recover, or why it is not defined.
    let expected: String
    /// The patches that act together; nil where the control is not defined.
    let patches: [Patch]?
  }

  private(set) var entries: [Entry] = []
  /// Runs of other recordings than base and source.
  private(set) var runs = 0
  private let model: any SpeechLanguageModel
  private let base: Trace
  private let source: Trace
  private let selections: [Selection]
  private let random = Random(seed: 1).split("tap patch")

  /// - Parameter selections: of the real patch
  init(
    _ model: any SpeechLanguageModel, _ base: Trace, _ source: Trace, _ selections: [Selection]
  ) {
    (self.model, self.base, self.source, self.selections) = (model, base, source, selections)
  }

  /// A random direction, and the right source at other positions.
  mutating func addMatched() throws {
    try add(
      .randomDirection, "little: a move of the same length",
      missing: "the patch has no random direction")
    try add(
      .positionSham, "little: the source elsewhere, a move of the same length",
      missing: "all positions of that kind are patched, or the site is a pattern")
  }

  /// Another item, as far as the real patch goes.
  mutating func addWrongItem(_ other: Trace) throws {
    runs += 1
    let along = try AlignmentChoice.automatic.alignment(
      base: base.question.clip, source: other.question.clip, segments: nil)
    try add(
      .wrongItem, "less: what erasing the base's answer alone does",
      missing: "the other item has no such positions", stranger: (other, along))
  }

  /// The whole patch from another run.
  mutating func add(
    _ name: String, _ expected: String, from other: Trace, _ joined: Alignment
  ) throws {
    runs += 1
    entries.append(
      Entry(name: name, expected: expected, patches: try patches(from: other, joined)))
  }

  /// The same patch with the boundaries of its alignment moved.
  mutating func addJitter(
    _ joined: Alignment, _ segments: (base: [Segment], source: [Segment])?, by width: Double
  ) throws {
    let bounded = try joined.withBoundaries(
      of: segments, base: base.question.clip, source: source.question.clip)
    entries.append(
      Entry(
        name: "jitter \(formatted(width)) ms",
        expected: bounded == nil
          ? "the alignment has no inner boundaries; give TextGrids" : "nearly what the patch does",
        patches: try bounded.map {
          try patches(from: source, $0.jittered(by: width, random.split("jitter")))
        }))
  }

  private func patches(from other: Trace, _ joined: Alignment) throws -> [Patch] {
    try selections.map {
      try Selection($0.cell, base: base, source: other, joined, strict: true)!.patch()
    }
  }

  private mutating func add(
    _ kind: MatchedControl, _ expected: String, missing: String,
    stranger: (trace: Trace, alignment: Alignment)? = nil
  ) throws {
    let found = try selections.enumerated().compactMap { i, selection in
      try model.control(
        kind, of: selection, base: base, source: source, stranger: stranger,
        random.split(kind.rawValue).split(i))
    }
    let isWhole = found.count == selections.count
    entries.append(
      Entry(
        name: kind.rawValue, expected: isWhole ? expected : missing,
        patches: isWhole ? found : nil))
  }
}
