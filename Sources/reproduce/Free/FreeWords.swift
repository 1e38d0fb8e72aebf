// The words of free speech by what they do in a sentence: common ones, each with one usual spelling and
// no homophone, none of them in the lexicon of the pairs.

/// What a word answers; the raw value stands for it in a frame.
enum FreeClass: String, CaseIterable {
  case name = "NAME"
  case profession = "PROFESSION"
  case animal = "ANIMAL"
  /// What someone did to something.
  case action = "ACTED"
  /// What someone did without anything.
  case rest = "RESTED"
  /// How someone went somewhere.
  case motion = "WENT"
  case thing = "THING"
  /// Things in the plural, to be counted; none is a thing's.
  case goods = "GOODS"
  case quality = "QUALITY"
  case number = "NUMBER"
  case region = "REGION"
  case room = "ROOM"
  case day = "DAY"
  case month = "MONTH"

  var words: [String] { FreeWords.lists[self]! }
}

enum FreeWords {
  /// One word in seven, by its spelling alone, is in no training sentence.
  static func isHeldOut(_ word: String) -> Bool { Draws.hash(word) % 7 == 0 }

  /// The class of a word, or nil for the fixed words of a frame and for any other.
  static func kind(_ word: String) -> FreeClass? { kinds[word] }

  /// "buy" of "bought"; nil for a word that is no verb of a class here.
  static func base(of past: String) -> String? { verbs[past] }

  static let lists: [FreeClass: [String]] = {
    func list(_ text: String) -> [String] {
      text.split(whereSeparator: \.isWhitespace).map(String.init)
    }
    func pasts(_ text: String) -> [String] {
      list(text).map { String($0.prefix { $0 != "/" }) }
    }
    return [
      .name: list(names), .profession: list(professions), .animal: list(animals),
      .action: pasts(actions), .rest: pasts(rests), .motion: pasts(motions),
      .thing: list(things), .goods: list(goods), .quality: list(qualities),
      .number: list(numbers), .region: list(regions), .room: list(rooms), .day: list(days),
      .month: list(months),
    ]
  }()

  private static let kinds: [String: FreeClass] = Dictionary(
    uniqueKeysWithValues: FreeClass.allCases.flatMap { kind in kind.words.map { ($0, kind) } })

  private static let verbs: [String: String] = Dictionary(
    uniqueKeysWithValues: [actions, rests, motions].flatMap {
      $0.split(whereSeparator: \.isWhitespace).map { pair in
        let forms = pair.split(separator: "/").map(String.init)
        return (forms[0], forms[1])
      }
    })

  private static let names = """
    anna peter david michael robert thomas daniel andrew george edward richard charles patrick simon
    oliver henry arthur martin oscar victor walter albert samuel benjamin jacob adam ethan kevin
    justin jason nathan joseph hugo edgar leonard gordon jennifer emma maria julia cynthia susan barbara
    elizabeth margaret nancy alice emily olivia victoria harriet amanda jessica melissa angela rebecca
    martha pamela sandra monica veronica gloria shirley dorothy wendy brenda
    """

  private static let professions = """
    doctor teacher farmer soldier lawyer nurse butcher carpenter engineer pilot singer actor artist
    scientist captain dentist driver barber secretary president professor student librarian gardener
    hunter builder manager mechanic tourist inspector reporter
    """

  private static let animals = """
    dog cat cow sheep rabbit elephant lion tiger monkey donkey camel chicken eagle parrot penguin
    dolphin spider turtle squirrel wolf giraffe crocodile kangaroo panda leopard pigeon puppy kitten
    zebra lobster
    """

  private static let actions = """
    bought/buy borrowed/borrow brought/bring carried/carry cleaned/clean collected/collect
    counted/count covered/cover decorated/decorate delivered/deliver described/describe
    destroyed/destroy discovered/discover dropped/drop examined/examine fixed/fix forgot/forget
    found/find hid/hide inspected/inspect kept/keep kicked/kick lifted/lift lost/lose liked/like
    loved/love measured/measure mentioned/mention moved/move needed/need noticed/notice
    opened/open ordered/order painted/paint photographed/photograph picked/pick polished/polish
    pulled/pull pushed/push received/receive removed/remove rented/rent repaired/repair
    returned/return selected/select took/take touched/touch wanted/want washed/wash
    watched/watch dragged/drag shared/share admired/admire
    """

  private static let rests = """
    slept/sleep waited/wait jumped/jump danced/dance rested/rest sat/sit stood/stand laughed/laugh
    smiled/smile worked/work shouted/shout listened/listen whispered/whisper played/play
    sneezed/sneeze
    """

  private static let motions = """
    walked/walk drove/drive hurried/hurry ran/run marched/march escaped/escape rushed/rush
    """

  private static let things = """
    table house bridge tower piano boat train tractor helicopter truck wagon castle fence door wall
    roof chimney statue fountain engine machine clock sofa desk shelf cupboard oven kettle television
    keyboard printer suitcase wallet passport envelope package necklace bracelet crown helmet uniform
    dress skirt sweater scarf belt trophy painting poster calendar dictionary notebook document
    magnet recipe cake soup salad pizza hamburger telescope microscope compass satellite rocket
    puppet puzzle doll canoe
    """

  private static let goods = """
    chairs apples tickets bottles candles books pencils baskets lemons potatoes tomatoes oranges
    bananas carrots onions cookies sandwiches flags bricks buckets blankets pillows hammers ladders
    shirts jackets gloves socks umbrellas guitars drums trumpets violins cameras computers telephones
    radios magazines newspapers letters pictures mirrors carpets curtains lamps spoons forks knives
    boxes bags stamps coins diamonds toys balloons kites bicycles lanterns ropes buttons brushes hats
    """

  private static let qualities = """
    heavy big small little large old ugly beautiful expensive broken dirty empty golden silver wooden
    plastic modern ancient strange famous tiny huge round square soft narrow thick thin sharp bright
    dark shiny yellow purple pink pretty simple secret electric foreign fancy rusty smooth lovely
    elegant valuable comfortable gigantic dusty
    """

  private static let numbers = """
    eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen twenty thirty forty
    fifty sixty seventy eighty ninety
    """

  private static let regions = """
    paris london berlin madrid moscow tokyo boston chicago dallas houston denver seattle detroit
    atlanta toronto vienna athens lisbon dublin cairo bristol hamburg amsterdam barcelona milan
    geneva oslo stockholm warsaw oxford manchester liverpool jerusalem philadelphia miami orlando
    memphis nashville france spain germany italy england scotland ireland portugal poland sweden
    norway denmark finland russia china japan india egypt canada mexico brazil argentina australia
    kenya cuba switzerland austria america africa europe israel
    """

  private static let rooms = """
    kitchen bathroom bedroom office library museum hospital church school market station airport
    restaurant garage basement attic corridor garden park forest village factory stadium hotel
    laboratory prison bank bakery supermarket classroom stable jungle valley
    """

  private static let days = "monday tuesday wednesday thursday friday saturday"

  private static let months = """
    january february april june july august september october november december
    """
}
