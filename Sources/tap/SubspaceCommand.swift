// `tap subspace`: which directions of a site carry the answer, and what matched controls do.

import ArgumentParser
import Foundation
import Interventions
import JSON
import Speech
import Tensor

extension SubspaceMethod: ExpressibleByArgument {}

struct SubspaceVerb: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "subspace",
    abstract: "Estimates subspaces of a site on one split and patches them on another.",
    discussion: """
      Each K is printed with its recovery, the complement's, and the mean recovery of four random \
      families that are matched in dimension (haar), variance, length (norm) and Mahalanobis length, \
      with the largest of their empirical p; wrong is another item's source, and divergence how much \
      farther patched activations lie from natural ones than natural ones do. das is held against the \
      same training for permuted answers and in the same model with random weights. Windows follow the pair: @changed is where its members \
      differ, @changed+40ms with a margin, which is cut where the sound begins or ends. Pairs without splits are halved by group.

        tap subspace --model artifacts/qwen2-audio-small --pairs data-manifests/evaluation.json \\
          --site connector.out@changed+40ms --method pca,cca --k 1,2,5,10,20 --limit 40 --draws 20
      """)

  @OptionGroup var options: ModelOptions
  @OptionGroup var entered: EnteredPairOptions
  @Option(help: "SITE@WINDOW, as in connector.out@changed+40ms or lm.2.resid_post@-1.")
  var site: String
  @Option(
    help: """
      pca, difference, mean, between, cca, cca-orthogonal, leace, gradient, das, sae or random; several \
      separated by commas.
      """) var method = "pca"
  @Option(help: "How many directions, separated by commas.") var k = "1,2,5,10,20"
  @Option(help: "sufficiency, necessity or both.") var direction = DirectionChoice.sufficiency
  @Option(help: "The split on which subspaces are estimated.") var fitSplit = "discovery"
  @Option(help: "The split on which they are patched.") var testSplit = "validation"
  @Option(help: "Draws of each random family; 0 for none.") var draws = 100
  @Option(help: "Random orders of components.") var orders = 20
  @Option(help: "Shrinkage of the covariance, from 0 to 1.") var shrinkage = 0.0
  @Flag(
    inversion: .prefixedNo,
    help: "das: also train in the same model with random weights, which are held in memory beside.")
  var untrained = true
  @Flag(help: "Set dimensions of massive activations to zero before estimating.")
  var withoutOutliers = false

  func run() throws {
    let methods = try self.methods
    let counts = try self.counts
    guard draws >= 0, orders >= 0, (0...1).contains(shrinkage) else {
      throw ValidationError("--draws and --orders should not be negative, --shrinkage from 0 to 1")
    }
    let pairs = try EnteredPairs(
      options, entered, splits: [fitSplit, testSplit], by: "tap subspace"
    ) { opened, pairs in try SiteWindow(site, in: opened.model).check(pairs) }
    let passes = PassCounter()
    let (reports, time) = try Cost.timed { try measured(pairs, methods, counts, passes) }
    try pairs.finish(reports, time + passes.cost)
  }

  private func measured(
    _ pairs: EnteredPairs, _ methods: [SubspaceMethod], _ counts: [Int], _ passes: PassCounter
  ) throws -> [String: JSON] {
    let (fit, test) = try halves(pairs.kept)
    let model = pairs.opened.model
    let groups = Set(test.map(\.pair.group)).count
    if groups < fewestGroups {
      warn(
        "the pairs that are patched are of \(groups) groups, too few for their intervals to hold")
    }
    let target = try SiteWindow(site, in: model)
    func exchanges(
      _ pairs: [OpenedPair], _ direction: Direction, _ model: any SpeechLanguageModel
    ) throws -> [Exchange] {
      passes.add(forwards: 2 * pairs.count)
      return try target.exchanges(pairs, direction, model).map { $0.counted(by: passes) }
    }
    let fitted = try Direction.allCases.flatMap { try exchanges(fit, $0, model) }
    let study = try SubspaceStudy(
      fit: fitted, shrinkage: shrinkage, clearing: withoutOutliers)
    try checkCounts(counts, dimension: study.width, of: "dimensions of \(target.name)")
    let random = Random(seed: UInt64(entered.seed)).split("subspace")
    let readers = try study.readers(random)
    if !entered.json {
      print(pairs.summary)
      print(
        "\(target.name): \(study.samples.rows) activations of \(study.width) numbers from "
          + "\(fit.count) pairs, patched on \(test.count); \(study.outliers.count) outlier dimensions, "
          + "\(readers.basis.columns) directions are read")
    }
    let blank =
      untrained && methods.contains(.das) ? pairs.opened.untrained(random.split("weights")) : nil
    let blankFit = try blank.map { model in
      try Direction.allCases.flatMap { try exchanges(fit, $0, model) }
    }
    var reports: [JSON] = []
    for direction in direction.directions {
      let held = try exchanges(test, direction, model)
      let blankPairs = try blank.map {
        UntrainedPairs(fit: blankFit!, test: try exchanges(test, direction, $0))
      }
      for method in methods {
        note("\(direction.rawValue), \(method.rawValue)")
        let report = try study.report(
          method, counts: counts, on: held, readers: readers, draws: draws, orders: orders,
          untrained: blankPairs, random.split(direction.rawValue).split(method.rawValue))
        note("")
        reports.append(report.json(direction))
        if !entered.json { report.printTable(direction) }
      }
    }
    return [
      "site": .string(target.name), "k": .array(counts.map { .integer($0) }),
      "fit_pairs": .array(fit.map { .string($0.pair.id) }),
      "test_pairs": .array(test.map { .string($0.pair.id) }),
      "test_groups": .integer(groups),
      "activations": .integer(study.samples.rows), "width": .integer(study.width),
      "outlier_dimensions": .array(study.outliers.map { .integer($0) }),
      "outliers_cleared": .bool(withoutOutliers), "shrinkage": .number(shrinkage),
      "directions_read": .integer(readers.basis.columns), "reports": .array(reports),
    ]
  }

  private var methods: [SubspaceMethod] {
    get throws {
      try method.split(separator: ",", omittingEmptySubsequences: false).map { name in
        guard let method = SubspaceMethod(rawValue: String(name)) else {
          throw ValidationError(
            "--method: \(quoted(name)) is none of "
              + SubspaceMethod.allCases.map(\.rawValue).joined(separator: ", "))
        }
        return method
      }
    }
  }

  private var counts: [Int] {
    get throws {
      try k.split(separator: ",", omittingEmptySubsequences: false).map { text in
        guard let count = Int(text) else {
          throw ValidationError("--k: \(quoted(text)) is not a number; write --k 1,2,5,10")
        }
        return count
      }
    }
  }

  /// Pairs for estimating and for patching, of no common group.
  private func halves(_ pairs: [OpenedPair]) throws -> (fit: [OpenedPair], test: [OpenedPair]) {
    let groups = Set(pairs.map(\.pair.group)).sorted()
    let isSplit = pairs.contains { $0.pair.split != nil }
    var random = Random(seed: UInt64(entered.seed)).split("halves")
    let order = random.permutation(groups.count)
    let first = Set(order.prefix(groups.count / 2).map { groups[$0] })
    let fit = pairs.filter {
      isSplit ? $0.pair.split == fitSplit : first.contains($0.pair.group)
    }
    let test = pairs.filter {
      isSplit ? $0.pair.split == testSplit : !first.contains($0.pair.group)
    }
    guard !fit.isEmpty, !test.isEmpty else {
      throw CellError(
        "\(entered.pairs): \(fit.count) pairs to estimate a subspace on and \(test.count) to patch; "
          + "give pairs of at least two groups, or other --fit-split and --test-split")
    }
    if let both = Set(fit.map(\.pair.group)).intersection(test.map(\.pair.group)).min() {
      throw CellError(
        "\(entered.pairs): the group \(quoted(both)) is in both splits; what is fitted on a group may "
          + "not be tested on it")
    }
    return (fit, test)
  }
}
