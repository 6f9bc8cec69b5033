/** The Node-RED editor in a headless browser, as a test sees it. */
import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { type Browser, chromium, type Locator, type Page } from 'playwright-core';
import { packageRoot } from '../support/node-red-process';

const chromiumPath = '/usr/bin/chromium';
const outputFolder = join(packageRoot, 'test/output');

/** What tests read of a node in the editor. */
export interface EditorNode {
  id: string;
  type: string;
  valid: boolean;
  validationErrors: string[];
  [property: string]: unknown;
}

/** Is there a browser? Where tests may not be skipped silently (CI), a missing one is an error. */
export function browserFound(): boolean {
  if (existsSync(chromiumPath)) return true;
  const reason = `${chromiumPath} is missing: apt-get install chromium`;
  if (process.env.CI === 'true') throw new Error(reason);
  console.log(`      skipped: ${reason}`);
  return false;
}

/** What slides for people to see it is there at once: most of the time that a dialog takes would go into that. */
const hurry = `{
  const { setTimeout } = window;
  window.setTimeout = (run, delay, ...rest) => setTimeout(run, delay <= 300 ? 0 : delay, ...rest);
  addEventListener('DOMContentLoaded', () => {
    const style = document.createElement('style');
    style.textContent = '* { transition: none !important; animation: none !important; }';
    document.head.append(style);
  });
}`;

export class Editor {
  /** Exceptions that no code caught. */
  readonly pageErrors: string[] = [];

  private constructor(
    private readonly browser: Browser,
    readonly page: Page,
  ) {
    page.on('pageerror', (error) => this.pageErrors.push(String(error)));
  }

  /** Opens the editor and waits until it shows the flows. `locale` is what the browser says that its person speaks. */
  static async open(url: string, locale = 'en-US'): Promise<Editor> {
    const browser = await chromium.launch({
      executablePath: chromiumPath,
      args: [
        '--headless',
        '--no-sandbox',
        '--disable-gpu',
        '--disable-quic',
        '--no-first-run',
        '--disable-background-networking',
        '--disable-component-update',
        '--disable-sync',
      ],
    });
    const editor = new Editor(browser, await browser.newPage({ viewport: { width: 1280, height: 960 }, locale }));
    editor.page.setDefaultTimeout(30_000);
    await editor.page.addInitScript(hurry);
    // What tsx makes of functions within functions, which are evaluated in the page, calls it.
    await editor.page.addInitScript('globalThis.__name = (named) => named;');
    await editor.page.goto(url);
    // `RED` is a constant of the page, not a property of window; a flow is active once all of them are loaded.
    await editor.page.waitForFunction("typeof RED !== 'undefined' && RED.workspaces?.active()");
    await editor.page.waitForSelector('#red-ui-loading-progress', { state: 'hidden' });
    return editor;
  }

  async close(): Promise<void> {
    await this.browser.close();
  }

  /** Evaluates a script in the editor; `RED` is in scope there. */
  evaluate<Result>(script: string): Promise<Result> {
    return this.page.evaluate(script);
  }

  /** A node with the properties that its definition lists. */
  node(id: string): Promise<EditorNode> {
    return this.evaluate(`(() => {
      const { id, type, valid, validationErrors, _def, ...node } = RED.nodes.node('${id}');
      const properties = Object.keys(_def.defaults).map((property) => [property, node[property]]);
      return { id, type, valid, validationErrors, ...Object.fromEntries(properties) };
    })()`);
  }

  /** Opens the dialog of a node, or of a config node. */
  async edit(id: string): Promise<Dialog> {
    await this.evaluate(`(() => {
      const node = RED.nodes.node('${id}');
      if (node._def.category === 'config') RED.editor.editConfig('', node.type, node.id);
      else RED.editor.edit(node);
    })()`);
    const isConfig = await this.evaluate<boolean>(`RED.nodes.node('${id}')._def.category === 'config'`);
    const dialog = new Dialog(this.page, isConfig);
    await dialog.form.waitFor();
    // The tray slides in: it must have come to rest before anything is clicked.
    await dialog.tray.evaluate((tray) =>
      Promise.all(tray.getAnimations({ subtree: true }).map(({ finished }) => finished)),
    );
    return dialog;
  }

  /**
   * Makes the editor dark, or light again: by the theme of Node-RED 5; before that by the opposite of all colours that
   * themes can set, and none else.
   */
  async darken(isDark: boolean): Promise<void> {
    await this.evaluate(`(() => {
      const root = document.documentElement;
      if (RED.settings.version.startsWith('4.')) {
        const names = [...document.styleSheets].flatMap((sheet) => [...sheet.cssRules])
          .filter(({ selectorText }) => selectorText === ':root')
          .flatMap(({ style }) => [...style].filter((name) => name.startsWith('--red-ui-')));
        root.removeAttribute('style');
        const colours = names.map((name) => [name, getComputedStyle(root).getPropertyValue(name).trim()]);
        for (const [name, colour] of ${isDark} ? colours : []) {
          if (!CSS.supports('color', colour)) continue;
          root.style.setProperty(name, 'rgb(from ' + colour + ' calc(255 - r) calc(255 - g) calc(255 - b) / alpha)');
        }
      }
      root.classList.toggle('nr-theme-dark', ${isDark});
    })()`);
  }

  /** Keeps a picture for people in test/output. */
  async screenshot(name: string, of: Page | Locator = this.page): Promise<void> {
    mkdirSync(outputFolder, { recursive: true });
    await of.screenshot({ path: join(outputFolder, `${name}.png`) });
  }
}

export class Dialog {
  readonly form: Locator;
  readonly tray: Locator;
  readonly toggle: Locator;

  constructor(
    private readonly page: Page,
    private readonly isConfig: boolean,
  ) {
    this.form = page.locator('.conference-recovery').last();
    this.tray = page.locator('.red-ui-tray').last();
    this.toggle = this.form.locator('.conference-recovery-toggle');
  }

  field(property: string): Locator {
    return this.form.locator(`#${this.prefix}${property}`);
  }

  /** Enters a value, after unfolding *Advanced* when the field is in there. */
  async fill(property: string, value: string | boolean): Promise<void> {
    const field = this.field(property);
    if (!(await this.shows(property)) && (await this.toggle.getAttribute('aria-expanded')) === 'false')
      await this.toggle.click();
    if (typeof value === 'boolean') await field.setChecked(value);
    else if (await field.evaluate((element) => element.nodeName === 'SELECT')) await field.selectOption(value);
    else {
      const typed = this.typed(property);
      const entered = (await typed.count()) > 0 ? typed : field;
      await entered.fill(value);
      await entered.blur();
    }
  }

  /** Where a typed input is filled in; its own field is hidden then. */
  typed(property: string): Locator {
    const { prefix } = this;
    return this.form.locator(`#${prefix}${property} + .red-ui-typedInput-container .red-ui-typedInput-input`);
  }

  /** Does anybody see a field? */
  async shows(property: string): Promise<boolean> {
    const typed = this.typed(property);
    return (await typed.count()) > 0 ? typed.isVisible() : this.field(property).isVisible();
  }

  /** Chooses where a value comes from, as a person does: by the keyboard. */
  async chooseKind(property: string, kind: string): Promise<void> {
    const { prefix } = this;
    await this.form
      .locator(`#${prefix}${property} + .red-ui-typedInput-container .red-ui-typedInput-type-select`)
      .focus();
    await this.page.keyboard.press('Enter');
    const option = this.page.locator(`.red-ui-typedInput-options:visible [value="${kind}"]`);
    await option.focus();
    await this.page.keyboard.press('Enter');
    await option.waitFor({ state: 'hidden' });
  }

  private get prefix(): string {
    return this.isConfig ? 'node-config-input-' : 'node-input-';
  }

  /** The line that says what is wrong with a field. */
  complaint(property: string): Locator {
    return this.form.locator(`#${this.prefix}${property}-complaint`);
  }

  async read(property: string): Promise<string | boolean> {
    const field = this.field(property);
    return (await field.getAttribute('type')) === 'checkbox' ? field.isChecked() : field.inputValue();
  }

  /** Texts that can hardly be read: less than 3 : 1 against what is behind them (WCAG 2.1, 1.4.11). */
  illegible(): Promise<string[]> {
    return this.form.evaluate((form) => {
      const channels = (colour: string): number[] => (colour.match(/[\d.]+/g) ?? []).map(Number);
      const luminance = (colour: string): number => {
        const scale = colour.startsWith('color(') ? 1 : 255;
        const [red = 0, green = 0, blue = 0] = channels(colour).map((channel) => {
          const part = channel / scale;
          return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
        });
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
      };
      const isClear = (colour: string): boolean => (channels(colour)[3] ?? 1) < 0.5;
      const behind = (element: Element | null): string => {
        if (!element) return 'rgb(255, 255, 255)';
        const { backgroundColor } = getComputedStyle(element);
        return isClear(backgroundColor) ? behind(element.parentElement) : backgroundColor;
      };
      const speaks = (element: Element): boolean =>
        element.matches('input:not([type=checkbox]), select') ||
        [...element.childNodes].some((node) => node.nodeType === 3 && node.nodeValue?.trim());
      return [...form.querySelectorAll('*')]
        .filter((element) => element.checkVisibility() && speaks(element) && !element.matches(':disabled, option'))
        .filter((element) => {
          const [one, other] = [getComputedStyle(element).color, behind(element)].map(luminance) as [number, number];
          return (Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05) < 3;
        })
        .map((element) => `${element.tagName} ${element.id || element.className}: ${element.textContent?.trim()}`);
    });
  }

  /** What the Tab key does not reach, of all that can be entered, chosen or pressed, from the first of it on. */
  async unreached(): Promise<string[]> {
    const wanted = this.form.locator('input, select, button:not(.disabled)').and(this.form.locator(':visible:enabled'));
    await wanted.evaluateAll((all) => {
      for (const element of all) element.setAttribute('data-unreached', '');
    });
    await wanted.first().focus();
    const pass = (form: Element): boolean => {
      document.activeElement?.removeAttribute('data-unreached');
      return form.contains(document.activeElement);
    };
    while (await this.form.evaluate(pass)) await this.page.keyboard.press('Tab');
    return this.form
      .locator('[data-unreached]')
      .evaluateAll((all) => all.map((element) => `${element.tagName} ${element.id || element.className}`));
  }

  async isMarked(property: string): Promise<boolean> {
    return this.field(property).evaluate((element) => element.classList.contains('input-error'));
  }

  done(): Promise<void> {
    return this.leave('ok');
  }

  cancel(): Promise<void> {
    return this.leave('cancel');
  }

  private async leave(button: 'ok' | 'cancel'): Promise<void> {
    await this.page.click(`#node-${this.isConfig ? 'config-' : ''}dialog-${button}`);
    await this.page.waitForFunction("$('.red-ui-tray').length === 0");
  }
}
