// What can be said on the command line of an experiment.

/// What of an experiment's inputs a reader may replace by their own.
public enum Own: String, Sendable, CaseIterable { case model, pairs }

/// The options that every experiment has.
public struct Options: Equatable, Sendable {
  /// Ignores the values that an interrupted run stored.
  public var fresh = false

  /// Where outputs go instead of the repository.
  public var out: String?

  /// Computes this cell and those behind it again, and takes the others' values from the last run.
  public var from: String?

  /// Takes only so many items of each cell.
  public var quick: Int?

  /// The reader's own checkpoint folder, in the place of the package's checkpoints.
  public var model: String?

  /// The reader's own manifest of pairs, in the place of the suite's.
  public var pairs: String?

  public var list = false
  public var help = false

  /// Reads the arguments that follow the program's name.
  public init(_ arguments: some Collection<String>) throws {
    var rest = Array(arguments)[...]
    while let word = rest.popFirst() {
      let parts = word.split(separator: "=", maxSplits: 1).map(String.init)
      let name = word.hasPrefix("--") && !parts.isEmpty ? parts[0] : word
      func value(_ what: String) throws -> String {
        guard let value = parts.count == 2 ? parts[1] : rest.popFirst(), !value.isEmpty else {
          throw Options.wrong("\(name) needs \(what)")
        }
        return value
      }
      switch name {
      case "--out": out = try value("a folder")
      case "--from": from = try value("the name of a cell")
      case "--quick":
        let text = try value("a number of items")
        guard let count = Int(text), count > 0 else {
          throw Options.wrong("--quick needs a number of items, not \"\(text)\"")
        }
        quick = count
      case "--model": model = try value("a checkpoint folder")
      case "--pairs": pairs = try value("a manifest of pairs")
      case "--fresh" where parts.count == 1: fresh = true
      case "--list" where parts.count == 1: list = true
      case "--help" where parts.count == 1, "-h": help = true
      default: throw Options.wrong("unknown option \"\(word)\"")
      }
    }
  }

  /// What of the inputs is the reader's own.
  public var own: [Own] { (model == nil ? [] : [.model]) + (pairs == nil ? [] : [.pairs]) }

  /// What sets the outputs apart from the paper's, as stamps have it; nothing for the paper's own.
  public var marks: [String] {
    (quick.map { ["quick \($0)"] } ?? []) + own.map { "own \($0.rawValue)" }
  }

  /// The same in words; nil for the paper's own.
  public var mark: String? {
    let words =
      (quick.map { ["quick run (\($0) \($0 == 1 ? "item" : "items") a cell)"] } ?? [])
      + own.map { "own \($0.rawValue)" }
    return words.isEmpty ? nil : words.joined(separator: ", ") + ", not the paper's"
  }

  /// Why a claim of the paper is not decided by this run; nil where it is.
  var exploratory: String? {
    let what = own.map { $0 == .model ? "this model" : "these pairs" }
    guard what.isEmpty else {
      return "not preregistered for \(what.joined(separator: " and ")): exploratory"
    }
    return quick.map { _ in "a quick run decides no claim: exploratory" }
  }

  /// - Parameters:
  ///   - taken: what an experiment may be run on beside the package's own
  ///   - instead: why it takes no more than that, and what does
  func check(taken: Set<Own>, instead: String) throws {
    guard let refused = own.first(where: { !taken.contains($0) }) else { return }
    throw Failure("takes no --\(refused.rawValue), since \(instead)", status: 64)
  }

  private static func wrong(_ message: String) -> Failure {
    Failure("\(message); --help lists the options", status: 64)
  }

  /// One line for each option.
  static func usage(_ name: String) -> String {
    """
    usage: \(name) [--fresh] [--from CELL] [--out DIR] [--quick N] [--model DIR] [--pairs FILE]
             [--list] [--help]

      --fresh      compute everything, even what an earlier run has stored
      --from CELL  compute this cell and those behind it; --list names them
      --out DIR    put figures/ and paper/ below DIR, not in the repository
      --quick N    take only the first N items of each cell; outputs go to build/quick, marked
      --model DIR  run on a checkpoint folder of your own; outputs go to build/own, marked
      --pairs FILE ask the pairs of a manifest of your own; outputs go to build/own, marked
      --list       print the cells, controls, claims, numbers and outputs, and what is stored
      --help       print this

    QUIET=1 hides the progress; TAP_CELLS=DIR keeps the stored values in DIR.
    """
  }
}
