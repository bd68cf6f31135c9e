/** Function words of English that say nothing about what is wanted. */
export const STOP_WORDS: ReadonlySet<string> = new Set(
  (
    'a an the of to in on at for from by with and or but if so as is are was were be been am do does did has have had ' +
    'i me my mine we us our you your he him his she her it its they them their this that these those there here what ' +
    'which who whom when where how why can could should would will shall may might must not no yes please let make sure ' +
    'just also then than too very all any some each into out up about over under again only own same s t d m re ve ll ' +
    'want need like help get use one more most other another per'
  ).split(' '),
);

/** No stop word has more characters. */
export const LONGEST_STOP_WORD = Math.max(...[...STOP_WORDS].map((word) => word.length));
