// How the subspace of one part is found, in steps that can be stored by themselves: the exchanges of the
// pairs that enter, each method's curve, and the choice among methods with its controls
// (`paper/definitions.md`, D113).

import Corpus
import Speech
import Tensor

/// The exchanges of the pairs that enter, by split, and the directions that each method finds on the
/// discovery split.
public struct PartSearch: Sendable {
  public let methods: [SubspaceMethod]
  /// By split: how many pairs were asked, and those that enter.
  private let asked: [Int]
  private let splits: [[ExchangedPair]]
  private let subspaces: SubspaceStudy
  /// In the order of the methods.
  private let components: [Components]
  private let rules: Preregistration
  private let transfer: TransferRules
  private let random: Random

  /// - Parameter splits: of discovery, validation and test, none of them empty
  init(
    _ part: TransferredPart, asked: [Int], splits: [[ExchangedPair]], _ rules: Preregistration,
    _ transfer: TransferRules, _ random: Random
  ) throws {
    var subspaces = try SubspaceStudy(fit: splits[0].flatMap { [$0.sufficiency, $0.necessity] })
    subspaces.search.epochs = transfer.epochs
    methods = part.methods(transfer)
    components = try methods.map { [subspaces] method in
      let stream = random.split(method.rawValue)
      guard method == .das else {
        return Components(
          method.rawValue, try subspaces.subspace(method, rank: 1, stream),
          sizes: rules.selection.sizes)
      }
      let trained = try transfer.trainedSizes.map {
        ($0, try subspaces.subspace(.das, rank: $0, stream))
      }
      return Components(method.rawValue, trained: Dictionary(uniqueKeysWithValues: trained))
    }
    (self.asked, self.splits, self.subspaces) = (asked, splits, subspaces)
    (self.rules, self.transfer, self.random) = (rules, transfer, random)
  }

  private var test: HeldPairs {
    HeldPairs(sufficiency: splits[2].map(\.sufficiency), necessity: splits[2].map(\.necessity))
  }

  /// How many directions of a method are taken, by the validation split, and what they recover on the
  /// test split.
  ///
  /// - Parameter method: one of `methods`
  public func curve(of method: SubspaceMethod) throws -> ComponentCurve {
    try components[methods.firstIndex(of: method)!].curve(
      validation: splits[1].map(\.sufficiency), test: test, share: rules.selection.share,
      draws: rules.bootstrapDraws, random.split(method.rawValue).split("curve"))
  }

  /// The best of the methods, with its controls.
  ///
  /// - Parameter curves: of `methods`, in their order
  public func study(of curves: [ComponentCurve]) throws -> PartStudy {
    let best = curves.best!
    let chosen = components.first { $0.method == best.method }!
    let controls = try subspaces.controls(
      of: chosen, size: best.size, readers: subspaces.readers(random), test: test,
      orders: transfer.orders, families: transfer.families, draws: rules.bootstrapDraws,
      random.split("controls"))
    let trained = components.first { $0.method == SubspaceMethod.das.rawValue }
    return PartStudy(
      asked: asked, entering: splits.map(\.count), curves: curves, method: best.method,
      subspace: try chosen.first(best.size), controls: controls,
      arbitrary: try trained.map { trained in
        let size = trained.sizes.last { $0 <= max(best.size, trained.sizes[0]) }!
        return try subspaces.alignmentControls(
          of: trained.first(size), on: test.sufficiency, untrained: nil, random.split("das"))
      },
      natural: subspaces.natural, outliers: subspaces.outliers.count)
  }
}
