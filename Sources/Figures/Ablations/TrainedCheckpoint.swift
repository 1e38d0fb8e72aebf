// Checkpoints that were trained to be compared: what an experiment measures of each, and the rows that it
// draws.

import Corpus
import Foundation
import Interventions
import Notebook
import Speech
import Tensor

/// What all checkpoints of a comparison are asked.
public struct TrainedQuestions: Sendable {
  /// On which directions are trained, and on which everything is measured.
  public var pairs: FitAndHeld<[MinimalPair]>
  /// The pair that lends each of the latter its unrelated item.
  public var others: [MinimalPair]
  public var recordings: [Utterance]
  public var neverHeard: [Utterance]
  /// The K of directions; their angles to the text's are those of `size`.
  public var sizes = [1, 2, 5, 10, 20, 40]
  public var size = 5
  public var epochs = 6
  public var families = 6
  public var moment: Double
  public var level: Double

  /// Pairs of discovery and validation: the test split is not read.
  ///
  /// - Parameter few: of a quick run
  public init(
    _ study: Study, neverHeard: PairSuite, moment: Double, level: Double, few: Int?
  ) throws {
    func own(_ split: String) -> [MinimalPair] {
      let own = study.suite.pairs.filter { $0.split == split }
      return few.map { own.spread($0) } ?? own
    }
    let held = own(study.rules.selectionSplit)
    pairs = FitAndHeld(fit: own(study.rules.searchSplit), held: held)
    others = try held.map { try study.suite.unrelated(to: $0) }
    let said = study.suite.utterances.filter { $0.split == study.rules.selectionSplit }
    recordings = few.map { said.spread($0) } ?? said
    self.neverHeard = neverHeard.utterances.spread(few ?? recordings.count)
    (self.moment, self.level) = (moment, level)
  }
}

/// A checkpoint with what was measured of it.
public struct TrainedCheckpoint: Sendable {
  public let name: String
  public let sites: [Site]
  public let material: TrainedMaterial
  public let reading: TrainedReading
  public let part: PartCurve?
}

extension Notebook {
  /// What checkpoints are asked under the rules of transfer, whose moment is taken, with the suite's voices that
  /// nobody trained on.
  ///
  /// - Parameter rules: the preregistration that `study` is under
  public func trainedQuestions(_ study: Study, rules: String) -> TrainedQuestions {
    let neverHeard = tracked("data-manifests/never-heard.json", as: "never-heard") {
      try PairSuite(manifest: $0)
    }
    _ = input("artifacts/suite", as: "suite audio")
    return attempt {
      try TrainedQuestions(
        study, neverHeard: neverHeard, moment: TransferRules("\(study.root)/\(rules)").moment,
        level: 0.05, few: options.quick)
    }
  }

  /// A checkpoint of a study, which is not shipped; says how to train it where it is not there.
  public func trained(_ name: String, by target: String) -> SpeechModel {
    attempt {
      let folder = "\(root ?? ".")/build/trained/\(name)"
      guard FileManager.default.fileExists(atPath: "\(folder)/model.safetensors") else {
        throw CellError("\(folder): is not trained; run make \(target)")
      }
      input(name, digest: try Digest(ofCheckpoint: folder))
      return try SpeechModel(folder: folder)
    }
  }

  /// Measures a checkpoint, and checks its maps where they are known.
  public func measure(
    _ name: String, _ model: SpeechModel, _ asked: TrainedQuestions, _ study: Study,
    _ random: Random
  ) -> TrainedCheckpoint {
    let root = study.root
    let (held, others) = (asked.pairs.held, asked.others)
    let places = Array(held.indices)
    let id = { (place: Int) in held[place].id }
    let maps = cell("\(name): maps", over: places, key: id) {
      try model.taskMap(of: held[$0], .answer, unrelated: others[$0], root: root)
    }
    let moves = cell("\(name): words", over: places, key: id) {
      try model.wordMoves(of: held[$0], unrelated: others[$0], moment: asked.moment, root: root)
    }
    let material = TrainedMaterial(
      written: cell("\(name): texts", over: asked.recordings, key: \.id) {
        try model.written($0, root: root)
      },
      neverHeard: cell("\(name): voices never heard", over: asked.neverHeard, key: \.id) {
        try model.written($0, root: root)
      }, maps: maps, moves: moves)
    let present = maps.compactMap { $0 }
    control("\(name): self-patch", equals: 0, of: present.flatMap(\.map.selfPatched))
    control("\(name): everything patched", equals: 1, of: present.flatMap(\.map.allPatched))

    let sites = model.model.mapSites
    let layers = sites.count { $0.stage == .lm }
    let options = LocalisationOptions(
      sites: sites, early: (layers + 2) / 3, share: 0.8, threshold: study.rules.bottleneckRecovery,
      draws: study.rules.bootstrapDraws)
    let reading = cell("\(name): read") {
      try material.reading(
        of: held, asked.recordings, neverHeard: asked.neverHeard, size: asked.size,
        minimumGap: study.rules.minimumGap, options, level: asked.level, random.split("reading"))
    }
    let part = cell("\(name): part") {
      try model.carriedPart(
        asked.pairs, sizes: asked.sizes, epochs: asked.epochs, families: asked.families,
        minimumGap: study.rules.minimumGap, moment: asked.moment,
        draws: study.rules.bootstrapDraws, root: root, random.split("part"))
    }
    say(
      "\(name): \(reading.kept.count) of \(held.count) pairs enter"
        + (part == nil ? ", too few to look for directions" : ""))
    return TrainedCheckpoint(
      name: name, sites: sites, material: material, reading: reading, part: part)
  }
}

extension TrainedCheckpoint {
  /// The number of directions that reach nine tenths of the whole site; one more than the most that were
  /// tried where none does, and nil where none was looked for.
  public func directions(of sizes: [Int]) -> Double? {
    part.map { Double($0.sufficiency.k90 ?? sizes[sizes.count - 1] + 1) }
  }

  /// Everything that is drawn of it.
  ///
  /// - Parameters:
  ///   - place: its row of a panel
  ///   - series: its colour
  public func rows(_ asked: TrainedQuestions, place: (String) -> String, series: String)
    -> [AblationRow]
  {
    func row(_ panel: String, _ what: String, _ number: Estimate, chance: Double? = nil)
      -> AblationRow
    {
      AblationRow(panel, place(what), series, number, chance: chance)
    }
    func bare(_ value: Double) -> Estimate {
      Estimate(value: value, low: -.infinity, high: .infinity)
    }
    let alignment = reading.alignment
    var rows = [
      row("errors", "unheard sentences", reading.errors),
      row("never heard", "unheard voices", reading.neverHeard),
      row("enter", "pairs that enter", reading.entering),
      row("cosine", "own text", alignment.cosine, chance: alignment.unrelated.value),
      row("angle", "squared cosine", bare(alignment.overlap), chance: alignment.chance),
    ]
    if let map = reading.map {
      let source = map.localisation[0]
      rows += [
        row("moment", "source", map.moment[0], chance: map.unrelated.value),
        row("near", "source", source.near, chance: map.control.near.value),
        row("depth", "source", source.depth, chance: map.control.depth.value),
      ]
    }
    if let part, let five = asked.sizes.firstIndex(of: asked.size) {
      let drawn = part.sufficiency.random[RandomFamily.norm.rawValue]?[five]
      rows.append(row("part", "five directions", part.sufficiency.part[five], chance: drawn?.value))
    }
    if let directions = directions(of: asked.sizes) {
      rows.append(row("directions", "for nine tenths", bare(directions)))
    }
    return rows
  }
}
